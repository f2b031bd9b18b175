package dev.belay.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A small tekken.json gives the ids that byte pairs merged by rank, tiktoken's definition, give. */
class TekkenFileTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PATTERN =
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
                    + "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|"
                    + "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String SAMPLE = "the bread that bakers bake, the breads they baked; thé naïve café, "
            + "the other baker's bread was there, then the bakery breathed. 日本語の日本 ... ... \n\n \n";
    /** A token that no merges lead to, and a way to one that starts in the middle. */
    private static final List<String> UNREACHABLE = List.of(" Zürich", "xyz", "quux");

    private static final List<String> SPECIAL =
            List.of("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[THINK]", "[/THINK]");

    @TempDir
    Path folder;

    private final List<String> ranked = ranked();

    /** Bytes as the characters U+0000 to U+00FF. */
    private static String bytes(String text) {
        return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }

    private static List<String> words(String text) {
        Matcher matcher = Pattern.compile(PATTERN).matcher(text);
        List<String> words = new ArrayList<>();
        while (matcher.find()) {
            words.add(bytes(matcher.group()));
        }
        return words;
    }

    /** The bytes, then the pairs that are most frequent in a sample. */
    private static List<String> ranked() {
        List<String> ranked =
                IntStream.range(0, 256).mapToObj(b -> String.valueOf((char) b)).collect(Collectors.toList());
        while (ranked.size() < 310) {
            Map<String, Integer> counts = new HashMap<>();
            for (String word : words(SAMPLE)) {
                List<String> parts = merged(word, ranked);
                for (int i = 1; i < parts.size(); i++) {
                    counts.merge(parts.get(i - 1) + parts.get(i), 1, Integer::sum);
                }
            }
            ranked.add(counts.entrySet().stream()
                    .max(Map.Entry.<String, Integer>comparingByValue()
                            .thenComparing(Map.Entry.comparingByKey(Comparator.reverseOrder())))
                    .orElseThrow()
                    .getKey());
        }
        UNREACHABLE.forEach(token -> ranked.add(bytes(token)));
        return ranked;
    }

    /** Merges the two neighbours whose token has the lowest rank, until no two are a token. */
    private static List<String> merged(String word, List<String> ranked) {
        if (ranked.contains(word)) {
            return List.of(word);
        }
        List<String> parts =
                word.chars().mapToObj(b -> String.valueOf((char) b)).collect(Collectors.toCollection(ArrayList::new));
        while (true) {
            int best = -1;
            int lowest = Integer.MAX_VALUE;
            for (int i = 1; i < parts.size(); i++) {
                int rank = ranked.indexOf(parts.get(i - 1) + parts.get(i));
                if (rank >= 0 && rank < lowest) {
                    lowest = rank;
                    best = i;
                }
            }
            if (best < 0) {
                return parts;
            }
            parts.set(best - 1, parts.get(best - 1) + parts.remove(best));
        }
    }

    private int[] expected(String text, int special, List<String> tokens) {
        return words(text).stream()
                .flatMap(word -> merged(word, tokens).stream())
                .mapToInt(token -> special + tokens.indexOf(token))
                .toArray();
    }

    private ObjectNode tekken(String version) {
        ObjectNode json = JSON.createObjectNode();
        ObjectNode config = json.putObject("config").put("pattern", PATTERN).put("version", version);
        config.put("num_vocab_tokens", ranked.size());
        ArrayNode vocab = json.putArray("vocab");
        for (String token : ranked) {
            byte[] bytes = token.getBytes(StandardCharsets.ISO_8859_1);
            vocab.addObject()
                    .put("rank", vocab.size() - 1)
                    .put("token_bytes", Base64.getEncoder().encodeToString(bytes))
                    .putNull("token_str");
        }
        return json.put("version", 1).put("type", "Tekken");
    }

    private ObjectNode withSpecial() {
        ObjectNode json = tekken("v13");
        ArrayNode special = json.putArray("special_tokens");
        for (String name : SPECIAL) {
            special.addObject()
                    .put("rank", special.size() - 1)
                    .put("token_str", name)
                    .put("is_control", true);
        }
        json.withObject("config").put("default_num_special_tokens", 10);
        return json;
    }

    private void write(ObjectNode json) throws IOException {
        Files.writeString(folder.resolve("tekken.json"), json.toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "the bread they bake",
                "There THEN bakery 2026!\n\n  the  \t other...",
                "naïve café 日本 語 😀",
                " Zürich Zürich xyz xyzz quux aquux breadthe",
                "\r\n/ a/b  \n"
            })
    void idsAreThoseOfMergingByRank(String text) throws IOException {
        write(withSpecial());
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            int[] ids = tokenizer.encode(text);
            assertArrayEquals(expected(text, 10, ranked), ids);
            assertEquals(text, tokenizer.decode(ids, 0, ids.length, true));
            assertEquals(10 + ranked.size(), tokenizer.vocabSize());
        }
    }

    /**
     * The first 1,100 tokens of Mistral's tekken_240911.json, and what mistral-common 1.12.0 (Apache License 2.0) makes of texts and ids
     * with them.
     */
    @Test
    void idsAndTextsAreThoseOfMistralCommon() throws IOException {
        Path published = Path.of("src/test/resources/tekken");
        try (Tokenizer tokenizer = Tokenizer.load(published)) {
            assertEquals(2000, tokenizer.vocabSize());
            for (String line : Files.readAllLines(published.resolve("expected.jsonl"))) {
                JsonNode expected = JSON.readTree(line);
                String text = expected.get("text").asText();
                int[] ids = JSON.treeToValue(expected.get("ids"), int[].class);
                // Mistral turns no name of a control token inside a text into that token.
                assertArrayEquals(ids, tokenizer.encodeLiterally(text, false).ids(), text);
                assertEquals(text, tokenizer.decode(ids, 0, ids.length, true));
            }
            for (String line : Files.readAllLines(published.resolve("decoded.jsonl"))) {
                JsonNode expected = JSON.readTree(line);
                int[] ids = JSON.treeToValue(expected.get("ids"), int[].class);
                assertEquals(expected.get("text").asText(), tokenizer.decode(ids, 0, ids.length, true));
                assertEquals(expected.get("kept").asText(), tokenizer.decode(ids, 0, ids.length, false));
            }
        }
    }

    @Test
    void specialTokensAreThoseOfTheFileAndFiller() throws IOException {
        write(withSpecial());
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            int h = 10 + 'h';
            int[] ids = tokenizer.encode("<s>[INST]h[/INST][THINK]h<SPECIAL_9></s>");
            assertArrayEquals(new int[] {1, 3, h, 4, 5, h, 9, 2}, ids);
            assertEquals("hh", tokenizer.decode(ids, 0, ids.length, true));
            assertArrayEquals(new int[] {1, h}, tokenizer.encodeWithSpecials("h"));
            // In a user's text they are ordinary characters.
            assertArrayEquals(
                    expected("a[INST]<s>", 10, ranked),
                    tokenizer.encodeLiterally("a[INST]<s>", false).ids());
            assertEquals(
                    "[THINK]", ThinkingMarkers.find(Optional.empty(), tokenizer).open());
        }
    }

    /** Files of versions up to 7 do not list special tokens: there are twenty. What is beyond the vocabulary's size is left out. */
    @Test
    void anOldFileHasTheUsualSpecialTokens() throws IOException {
        ObjectNode json = tekken("v7");
        int size = ranked.size() - UNREACHABLE.size();
        json.withObject("config").put("default_num_special_tokens", 1000).put("default_vocab_size", 1000 + size);
        write(json);
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            String text = "the xyz";
            assertArrayEquals(expected(text, 1000, ranked.subList(0, size)), tokenizer.encode(text));
            assertArrayEquals(
                    new int[] {1, 17, 1000 + 'h', 18, 3, 4, 11, 19, 20, 999},
                    tokenizer.encode("<s>[SYSTEM_PROMPT]h[/SYSTEM_PROMPT][INST][/INST]<pad>[TOOL_CONTENT]<SPECIAL_20>"
                            + "<SPECIAL_999>"));
        }
    }

    @Test
    void messagesArePutTogetherAsMistralDoes() throws IOException {
        write(withSpecial());
        List<Message> messages =
                List.of(new Message("system", "Be brief."), Message.user("Hi"), new Message("assistant", "Yes?"));
        assertEquals(
                "<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST]Hi[/INST]Yes?</s>",
                ChatTemplate.load(folder).render(messages, false));
        Files.writeString(folder.resolve("chat_template.jinja"), "{{ bos_token }}own{{ eos_token }}");
        assertEquals("<s>own</s>", ChatTemplate.load(folder).render(messages, true));
        Files.delete(folder.resolve("chat_template.jinja"));
        write(tekken("v3"));
        String message = assertThrows(BelayException.class, () -> ChatTemplate.load(folder))
                .getMessage();
        assertTrue(message.contains("has no chat template: add"), message);
    }

    private void assertRefused(String part, Consumer<ObjectNode> change) throws IOException {
        ObjectNode json = withSpecial();
        change.accept(json);
        write(json);
        String message =
                assertThrows(BelayException.class, () -> Tokenizer.load(folder)).getMessage();
        assertTrue(message.contains("tekken.json") && message.contains(part), message);
        assertEquals(1, message.lines().count(), message);
    }

    private static ObjectNode entry(ObjectNode json, String list, int place) {
        return (ObjectNode) json.get(list).get(place);
    }

    @Test
    void aDamagedFileIsRefused() throws IOException {
        assertRefused("no pattern", json -> json.withObject("config").remove("pattern"));
        assertRefused("no list", json -> json.put("vocab", "x"));
        assertRefused("place 1 of its vocab is no JSON object", json -> ((ArrayNode) json.get("vocab")).set(1, "x"));
        assertRefused("no Base64", json -> entry(json, "vocab", 300).put("token_bytes", "?"));
        assertRefused("place 300", json -> entry(json, "vocab", 300).put("rank", 3));
        assertRefused("0 bytes", json -> entry(json, "vocab", 300).put("token_bytes", ""));
        assertRefused("bytes 0 to 255", json -> entry(json, "vocab", 7).put("token_bytes", "YQ=="));
        assertRefused("twice", json -> entry(json, "vocab", 300).put("token_bytes", "YQ=="));
        assertRefused("0 to 6", json -> entry(json, "special_tokens", 2).put("rank", 7));
        assertRefused("names", json -> entry(json, "special_tokens", 2).put("token_str", "<s>"));
        assertRefused("names", json -> json.withObject("config").put("default_num_special_tokens", 5));
        assertRefused("num_special", json -> json.withObject("config").put("default_num_special_tokens", 1 << 20));
        assertRefused("vocab_size", json -> json.withObject("config").put("default_vocab_size", 1000));
        assertRefused("expression", json -> json.withObject("config").put("pattern", "(a+)+b"));
    }
}
