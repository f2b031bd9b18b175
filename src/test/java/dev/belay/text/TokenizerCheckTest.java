package dev.belay.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Hostile tokenizer.json files are refused before the native library sees them: it would end the process, or take for ever. */
class TokenizerCheckTest {
    private static final String BPE = "{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": []}";

    @TempDir
    Path folder;

    private String refusal(String json) throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), json);
        return assertThrows(BelayException.class, () -> Tokenizer.load(folder)).getMessage();
    }

    private static String with(String key, String value) {
        return "{\"version\": \"1.0\", \"" + key + "\": " + value + ", \"model\": " + BPE + "}";
    }

    /** Those of GPT-2, Llama 3, Qwen 2 and 3, DeepSeek, GPT-4o and Phi-4, Mistral's Tekken, BLOOM, Falcon and T5. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                        + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
                        + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                        + "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "[一-龥぀-ゟ゠-ヿ]+",
                "\\p{N}{1,3}",
                "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
                        + "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
                        + "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
                        + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{M}&&[^\\p{Han}]]+(?i:'s|'t)?|\\s+",
                " ?[^(\\s|[.,!?…。，、।۔،])]+",
                "[0-9][0-9][0-9]",
                " {2,}",
                "\\n+",
                "(?=(\\d{3})+(?!\\d))",
                "\\d{1,3}(?=(?:\\d{3})*\\b)",
            })
    void expressionsOfPublishedModels(String regex) {
        assertNull(RegexCheck.refusal(regex));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(a+)+$",
                "(a|a)*b",
                "(?:a|aa)+$",
                "(a*)*",
                "((a?){16}){16}",
                "(?:a{1,30}){1,30}b",
                "\\s*\\s*[xy]",
                "[\\s\\S]*[\\s\\S]*[\\x00\\x01]",
                "(\\s+\\s+)x",
                "\\s+-?\\s+x",
                "\\w+\\p{L}+\\d",
                "(a)\\1",
                "(?<n>a\\g<n>?b)",
                "(?~abc)",
                "((((((((((((((((((((((a))))))))))))))))))))))",
                "a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?b",
                "(a",
                "a)",
                "[a",
                "\\s+(?=\\s*x)",
            })
    void expressionsThatBacktrackOrAreNone(String regex) {
        assertNotNull(RegexCheck.refusal(regex));
    }

    @ParameterizedTest(name = "{0} {1}")
    @CsvSource(
            delimiter = '@',
            value = {
                "pre_tokenizer @ {'type': 'Split', 'pattern': {'Regex': '(a+)+$'}} @ repeats what itself repeats",
                "pre_tokenizer @ {'type': 'Magic'} @ of the kind 'Magic'",
                "pre_tokenizer @ 3 @ of the kind ''",
                "normalizer @ {'type': 'Precompiled', 'precompiled_charsmap': 'AAAA'} @ of the kind 'Precompiled'",
                "decoder @ {'type': 'Strip', 'content': 'a', 'start': 0, 'stop': 1} @ strips the ends",
                "decoder @ {'type': 'Fuse', 'x': '\\ud800'} @ no text or number",
                "decoder @ {'type': 'Fuse', 'x': 1e999} @ no text or number",
                "added_tokens @ [{'id': 4294967295, 'content': 'x'}] @ has the id 4294967295",
                "added_tokens @ [{'id': 16777217, 'content': 'x'}] @ has the id 16777217",
                "added_tokens @ [{'content': 'x'}] @ has the id null",
                "model @ {'type': 'BPE', 'dropout': 0.5, 'vocab': {}} @ at random",
                "model @ {'type': 'BPE', 'continuing_subword_prefix': '##', 'vocab': {'a': 0}, 'merges': [['a', 'b']]} @ second part",
                "model @ {'type': 'BPE', 'merges': ['a ##b', 'a #'], 'continuing_subword_prefix': '##'} @ second part of a merge",
                "model @ {'type': 'BPE', 'continuing_subword_prefix': 'é', 'merges': ['a éb']} @ of ASCII characters",
                "model @ {'type': 'Other', 'vocab': {}} @ of the kind",
                "model @ {'type': 'WordPiece', 'max_input_chars_per_word': 100000000} @ more than 10000",
                "model @ {'type': 'Unigram', 'vocab': [['', 0.0]]} @ no text with a number",
            })
    void partsThatAreRefused(String key, String value, String reason) throws Exception {
        String message = refusal(with(key, value.replace('\'', '"')));
        assertTrue(message.contains(reason), message);
    }

    @Test
    void nestingAndGrowthAndSize() throws Exception {
        String deep = "{\"type\": \"Sequence\", \"normalizers\": [".repeat(40) + "]}".repeat(40);
        assertTrue(refusal(with("normalizer", deep)).contains("nesting depth"), refusal(with("normalizer", deep)));
        String step = "{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"aa\"}";
        String sequence = "{\"type\": \"Sequence\", \"normalizers\": [" + (step + ",").repeat(20) + step + "]}";
        assertTrue(refusal(with("normalizer", sequence)).contains("more than 256 characters of one"));
        String same = "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"x\"}";
        Path file = Files.writeString(
                folder.resolve("tokenizer.json"),
                with(
                        "normalizer",
                        "{\"type\": \"Sequence\", \"normalizers\": [" + (same + ",").repeat(20) + same + "]}"));
        assertEquals(2, TokenizerCheck.of(new TokenizerFile(file, null)).vocabSize());
        String nothing = "{\"type\": \"Sequence\", \"normalizers\": [" + "{\"type\": \"NFC\"},".repeat(100)
                + "{\"type\": \"NFC\"}]}";
        assertTrue(refusal(with("normalizer", nothing)).contains("more than 64"));
        assertTrue(refusal("[]").contains("no JSON object"));
        assertTrue(refusal("{}").contains("no model"));
        assertTrue(refusal(with("decoder", "null") + "x").contains("cannot read"));
        assertTrue(refusal("{\"decoder\": {\"type\":\"Fuse\",}}").contains("cannot read"));
    }

    @Test
    void theLargestIdIsTheVocabularysOrAnAddedTokens() throws Exception {
        Path file = Files.writeString(
                folder.resolve("tokenizer.json"), with("added_tokens", "[{\"id\": 7, \"content\": \"x\"}]"));
        assertEquals(8, TokenizerCheck.of(new TokenizerFile(file, null)).vocabSize());
        Files.writeString(file, with("added_tokens", "[]"));
        assertEquals(2, TokenizerCheck.of(new TokenizerFile(file, null)).vocabSize());
    }
}
