package dev.belay.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {
    private static final Path TINY_CLIFF = Path.of("models/tiny-cliff");

    @TempDir
    Path folder;

    @Test
    void addsNothingAndReadsSpecialTokensInTheText() {
        try (Tokenizer tokenizer = Tokenizer.load(TINY_CLIFF)) {
            int[] ids = tokenizer.encode("<|begin_of_text|><|User|>Hi</think>");
            assertArrayEquals(new int[] {0, 2}, new int[] {ids[0], ids[1]});
            assertEquals(6, ids[ids.length - 1]);
            assertEquals(0, tokenizer.encode("").length);
            assertEquals(5000, tokenizer.encode("a".concat(" a".repeat(4999))).length, "no truncation");
        }
    }

    /** What Llama's tokenizer.json has: a token that begins every text. */
    @Test
    void addsTheSpecialTokensOfTokenizerJsonWhereAsked() throws IOException {
        String json = Files.readString(TINY_CLIFF.resolve("tokenizer.json"));
        String begins = """
                "post_processor": {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [0], "tokens": ["<|begin_of_text|>"]}}}""";
        String changed = json.replaceFirst("\"post_processor\":\\s*null", begins);
        assertFalse(changed.equals(json));
        Files.writeString(folder.resolve("tokenizer.json"), changed);
        try (Tokenizer plain = Tokenizer.load(TINY_CLIFF);
                Tokenizer tokenizer = Tokenizer.load(folder)) {
            int[] ids = plain.encode("Question: Hi");
            int[] begun = new int[ids.length + 1];
            System.arraycopy(ids, 0, begun, 1, ids.length);
            assertArrayEquals(begun, tokenizer.encodeWithSpecials("Question: Hi"));
            assertArrayEquals(ids, tokenizer.encode("Question: Hi"));
            assertArrayEquals(ids, plain.encodeWithSpecials("Question: Hi"));
        }
    }

    @Test
    void decodesARangeWithOrWithoutSpecialTokens() {
        try (Tokenizer tokenizer = Tokenizer.load(TINY_CLIFF)) {
            int[] ids = tokenizer.encode("<|User|>How do I bake bread?<|end_of_text|>");
            assertEquals("<|User|>How do I bake bread?<|end_of_text|>", tokenizer.decode(ids, 0, ids.length, false));
            assertEquals("How do I bake bread?", tokenizer.decode(ids, 0, ids.length, true));
            assertEquals("", tokenizer.decode(ids, 2, 2, false));
            assertEquals("<|User|>", tokenizer.decode(ids, 0, 1, false));
            assertEquals(1024, tokenizer.vocabSize());
        }
    }

    @Test
    void spansCountJavaCharsAlsoBehindEmojiAndOtherWideText() {
        for (String text : List.of(
                "plain text here",
                "é ü — “quoted” ñ",
                "😀 is 👩‍🚀, then text",
                "日本語 and 😀😀 end\n\n<|User|>x",
                "𝔘𝔫𝔦 <think>\nok")) {
            try (Tokenizer tokenizer = Tokenizer.load(TINY_CLIFF)) {
                TokenizedText tokens = tokenizer.encodeWithSpans(text);
                assertEquals(0, tokens.start()[0], text);
                assertEquals(text.length(), tokens.end()[tokens.length() - 1], text);
                for (int i = 0; i < tokens.length(); i++) {
                    String part = text.substring(tokens.start()[i], tokens.end()[i]);
                    String token = tokenizer.decode(tokens.ids(), i, i + 1, false);
                    // A token that holds only some bytes of a character has the span of the whole character.
                    assertTrue(token.contains("\uFFFD") || token.equals(part), text + ": " + token + " <> " + part);
                    int before = i == 0 ? 0 : tokens.end()[i - 1];
                    assertTrue(tokens.start()[i] <= before, text + ": a gap before token " + i);
                }
            }
        }
    }

    @Test
    void findsTheFirstTokenBehindAPosition() {
        TokenizedText tokens = new TokenizedText(new int[] {7, 8, 9}, new int[] {0, 2, 5}, new int[] {2, 5, 6});
        assertEquals(0, tokens.firstEndingAfter(0));
        assertEquals(1, tokens.firstEndingAfter(2));
        assertEquals(1, tokens.firstEndingAfter(4));
        assertEquals(3, tokens.firstEndingAfter(6));
    }

    @Test
    void aLoneSurrogateDoesNotBreakTheText() {
        try (Tokenizer tokenizer = Tokenizer.load(TINY_CLIFF)) {
            TokenizedText tokens = tokenizer.encodeWithSpans("a\uD83D b\uDE00");
            assertEquals(5, tokens.end()[tokens.length() - 1]);
            assertEquals("a\uFFFD b\uFFFD", tokenizer.decode(tokens.ids(), 0, tokens.length(), false));
        }
    }

    @Test
    void saysWhatToDoAboutAMissingOrBrokenFile() throws IOException {
        BelayException missing = assertThrows(BelayException.class, () -> Tokenizer.load(folder));
        assertTrue(
                missing.getMessage().startsWith("the model " + folder + " has no tokenizer.json: copy"),
                missing.getMessage());
        Files.writeString(folder.resolve("tokenizer.json"), "{\"version\": 1}\n");
        BelayException broken = assertThrows(BelayException.class, () -> Tokenizer.load(folder));
        assertTrue(broken.getMessage().contains("tokenizer.json is not a tokenizer"), broken.getMessage());
        assertEquals(1, broken.getMessage().lines().count());
    }

    /** Runs in a process of its own, because the native library loads once per process. */
    @Test
    void unpacksOnlyIntoTheCacheAndPrintsNothing() throws Exception {
        Path home = Files.createDirectory(folder.resolve("home"));
        Path cache = folder.resolve("cache");
        Process process = start(home, cache);
        String output = new String(process.getInputStream().readAllBytes());
        assertEquals(0, process.waitFor(), output);
        assertEquals("2", output.strip());
        try (Stream<Path> files = Files.walk(home)) {
            assertEquals(List.of(home), files.toList());
        }
        try (Stream<Path> files = Files.walk(cache.resolve("djl"))) {
            assertTrue(files.anyMatch(file -> file.getFileName().toString().contains("tokenizers")));
        }
    }

    @Test
    void saysThatTheCacheCannotBeWritten() throws Exception {
        Path cache = Files.writeString(folder.resolve("cache"), "a file in the way");
        Process process = start(folder, cache);
        String output = new String(process.getInputStream().readAllBytes());
        assertEquals(1, process.waitFor());
        assertTrue(output.contains("BelayException: cannot load the tokenizer library from " + cache), output);
        assertTrue(output.contains("set BELAY_CACHE to another one"), output);
        assertFalse(output.contains("WARN"), output);
    }

    private static Process start(Path home, Path cache) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Duser.home=" + home,
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                Main.class.getName());
        builder.environment().put("BELAY_CACHE", cache.toString());
        builder.environment().put("HOME", home.toString());
        builder.environment().remove("XDG_CACHE_HOME");
        return builder.redirectErrorStream(true).start();
    }

    /** What the spawned process runs: it loads a tokenizer and a chat template. */
    static final class Main {
        private Main() {}

        public static void main(String[] arguments) {
            try (Tokenizer tokenizer = Tokenizer.load(TINY_CLIFF)) {
                ChatTemplate.load(TINY_CLIFF).render(List.of(Message.user("Hi")), true);
                System.out.println(tokenizer.encode("<|User|>").length + 1);
            }
        }
    }
}
