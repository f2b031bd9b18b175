package dev.belay.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every kind of added token. Ids, spans and texts are those of tokenizers 0.23 in Python. */
class AddedTokensTest {
    /** One token for each character, lower case; 12 to 19 are added tokens, each of another kind. */
    private static final String KINDS = """
            {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [
             {"id": 12, "content": "<l>", "single_word": false, "lstrip": true, "rstrip": false, "normalized": false,
              "special": true},
             {"id": 13, "content": "<r>", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false,
              "special": false},
             {"id": 14, "content": "<s>", "single_word": false, "lstrip": true, "rstrip": true, "normalized": false,
              "special": true},
             {"id": 15, "content": "ab", "single_word": true, "lstrip": false, "rstrip": false, "normalized": false,
              "special": false},
             {"id": 16, "content": "<N>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true,
              "special": false},
             {"id": 17, "content": "<E>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
              "special": true},
             {"id": 18, "content": "  ", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
              "special": false},
             {"id": 19, "content": "<E>a", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
              "special": false}],
             "normalizer": {"type": "Lowercase"}, "pre_tokenizer": null, "post_processor": null,
             "decoder": {"type": "Fuse"}, "model": {"type": "BPE", "dropout": null, "unk_token": "?",
             "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
             "ignore_merges": false, "vocab": {"?": 0, "a": 1, "b": 2, "e": 3, "l": 4, "n": 5, "r": 6, "s": 7, "<": 8,
             ">": 9, " ": 10, ".": 11}, "merges": []}}
            """;

    @TempDir
    Path folder;

    private Tokenizer kinds() throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), KINDS);
        return Tokenizer.load(folder);
    }

    private static int[] ids(String text) {
        return Arrays.stream(text.split(" ")).mapToInt(Integer::parseInt).toArray();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            ignoreLeadingAndTrailingWhitespace = false,
            value = {
                "lstrip,a <l> b,1 12 10 2,0 1 5 6 7",
                "rstrip,a <r> b,1 10 13 2,0 1 2 6 7",
                "both,a <s> b,1 14 2,0 1 6 7",
                "more white space,a  <s>\\n b,1 18 14 2,0 1 3 8 9",
                "neighbours,<s> <l>,14 12,0 4 7",
                "single word,ab,15,0 2",
                "single word or not,aab ab.ab,1 1 2 10 15 11 15,0 1 2 3 4 6 7 9",
                "normalized,a<N>b<n>,1 16 2 16,0 1 4 5 8",
                "not normalized,<E><e>,17 8 3 9,0 3 4 5 6",
                "text around is normalized,A<E>b,1 17 2,0 1 4 5",
                "white space,a  b   a,1 18 2 18 10 1,0 1 3 4 6 7 8",
                "the longest wins,<E>ab,19 2,0 4 5",
            })
    void idsAreThoseOfTokenizers(String kind, String text, String expected, String bounds) throws Exception {
        try (Tokenizer tokenizer = kinds()) {
            TokenizedText tokens = tokenizer.encodeWithSpans(text.replace("\\n", "\n"));
            assertArrayEquals(ids(expected), tokens.ids());
            int[] places = ids(bounds);
            assertArrayEquals(Arrays.copyOf(places, places.length - 1), tokens.start());
            assertArrayEquals(Arrays.copyOfRange(places, 1, places.length), tokens.end());
        }
    }

    @Test
    void onlySpecialOnesAreLeftOutOfDecodedText() throws Exception {
        try (Tokenizer tokenizer = kinds()) {
            int[] ids = {1, 14, 17, 2, 13, 15};
            assertEquals("ab<r>ab", tokenizer.decode(ids, 0, ids.length, true));
            assertEquals("a<s><E>b<r>ab", tokenizer.decode(ids, 0, ids.length, false));
            assertEquals("a<s>b<r>ab", tokenizer.decodeKeeping(ids, Set.of("<s>")));
        }
    }

    /** Those of white space stay tokens in a prompt, names of others are ordinary characters. */
    @ParameterizedTest
    @CsvSource(
            ignoreLeadingAndTrailingWhitespace = false,
            value = {
                "a <s>  b,1 10 8 7 9 18 2",
                "<N> <n>,8 5 9 10 8 5 9",
                "<E>ab.ab,8 3 9 15 11 15",
                "ab <r>,15 10 8 6 9"
            })
    void aPromptHasNoControlTokens(String prompt, String expected) throws Exception {
        try (Tokenizer tokenizer = kinds()) {
            ChatTemplate chat = ChatTemplate.of("<r>{{ messages[0].content }}<E>", "", "");
            TextFormat format = new TextFormat(tokenizer, chat, ThinkingMarkers.THINK, false);
            int[] actual = ProbeText.prompt(format, new Transcript("1", prompt, "", "", null, null));
            assertArrayEquals(ids("13 " + expected + " 17"), actual);
        }
    }

    @Test
    void piecesDoNotBreakCharactersOfSeveralTokens() {
        int[] ids = {2, 71, 227, 179, 260, 253, 229, 134, 109, 169, 252, 105, 205};
        try (Tokenizer tokenizer = Tokenizer.load(Path.of("models/tiny-cliff"))) {
            assertEquals(
                    List.of("<|User|>", "a", " ", "", "", "", "😀", "", "é", "", "", "日", "\n"), tokenizer.pieces(ids));
            // Bytes of a character that never ends.
            assertEquals(List.of("", "\uFFFDa", "", "\uFFFD"), tokenizer.pieces(new int[] {179, 71, 179, 260}));
            assertEquals(
                    List.of("", "", "", "\uFFFD\uFFFD\uFFFD", "\uFFFD\uFFFD"),
                    tokenizer.pieces(new int[] {179, 179, 179, 179, 179}));
            // What never ends may stand before what does.
            assertEquals(
                    List.of("", "", "", "\uFFFD\uFFFD\uFFFD", "", "", "😀"),
                    tokenizer.pieces(new int[] {179, 179, 179, 179, 260, 253, 229}));
            assertEquals(List.of(), tokenizer.pieces(new int[0]));
        }
    }

    private static String tokenizer(String decoder, String vocabulary) {
        return """
                {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
                 "pre_tokenizer": null, "post_processor": null, "decoder": %s, "model": {"type": "BPE", "dropout": null,
                 "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
                 "byte_fallback": false, "ignore_merges": false, "vocab": %s, "merges": []}}
                """.formatted(decoder, vocabulary);
    }

    /** Tokens may begin or end within characters, one after the other. */
    @Test
    void piecesEndWhereCharactersDo() throws Exception {
        String vocabulary = """
                {"\u00e6": 0, "\u0139": 1, "\u00a5\u00e6\u013e": 2, "\u00ac\u00e8": 3, "\u00aa\u0140": 4}""";
        String decoder = """
                {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}""";
        Files.writeString(folder.resolve("tokenizer.json"), tokenizer(decoder, vocabulary));
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            int[] ids = {0, 1, 2, 3, 4, 0, 1, 2};
            assertEquals(List.of("", "", "日", "本", "語", "", "", "日\uFFFD"), tokenizer.pieces(ids));
        }
    }

    /** The decoder of Llama 2 takes the space of the first token away, of the others it does not; bytes are tokens. */
    @Test
    void piecesKeepTheSpacesBetweenTokens() throws Exception {
        String decoder = """
                {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}""";
        String vocabulary = """
                {"▁": 0, "▁a": 1, "b": 2, "<0xC3>": 3, "<0xA9>": 4, "<0xFF>": 5}""";
        Files.writeString(folder.resolve("tokenizer.json"), tokenizer(decoder, vocabulary));
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertEquals(List.of("a", "b", " a", " ", " a"), tokenizer.pieces(new int[] {1, 2, 1, 0, 1}));
            assertEquals(List.of("", " ", " a"), tokenizer.pieces(new int[] {0, 0, 1}));
            int[] ids = {1, 3, 4, 3, 4, 1, 5, 2};
            assertEquals(List.of("a", "", "é", "", "é", " a", "", "\uFFFDb"), tokenizer.pieces(ids));
            assertEquals("aéé a\uFFFDb", tokenizer.decode(ids, 0, ids.length, false));
        }
    }
}
