package dev.belay.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.BelayException;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ProbeTextTest {
    private static final Path MODEL = Path.of("models/tiny-cliff");
    private static final Path GOLDEN = Path.of("src/test/resources/golden/tiny-cliff");
    private static final ThinkingMarkers MARKERS = ThinkingMarkers.THINK;
    private static Tokenizer tokenizer;

    @BeforeAll
    static void load() {
        tokenizer = Tokenizer.load(MODEL);
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    @Test
    void countsAndBoundariesOfAllAttacksMatchTransformers() throws Exception {
        JsonNode golden = new ObjectMapper().readTree(new File(GOLDEN.toFile(), "golden.json"));
        List<Transcript> attacks = Transcripts.read(MODEL.resolve("data/attacks.jsonl"));
        ChatTemplate template = ChatTemplate.load(MODEL);
        assertEquals(48, golden.get("attacks").size());
        for (int i = 0; i < 48; i++) {
            JsonNode expected = golden.get("attacks").get(i);
            ProbeText text = ProbeText.of(format(template), attacks.get(i));
            assertEquals(expected.get("id").asText(), text.id());
            assertArrayEquals(
                    new int[] {
                        expected.get("tokens").asInt(),
                        expected.get("think_start").asInt(),
                        expected.get("think_end").asInt()
                    },
                    new int[] {text.ids().length, text.thinkingStart(), text.thinkingEnd()},
                    text.id());
            assertEquals(golden.get("closing_tokens").asInt(), text.ids().length - text.thinkingEnd());
        }
    }

    @Test
    void idsOfTheTracedAttacksMatchTransformers() throws Exception {
        List<Transcript> attacks = Transcripts.read(MODEL.resolve("data/attacks.jsonl"));
        ChatTemplate template = ChatTemplate.load(MODEL);
        for (int i = 0; i < 8; i++) {
            int[] expected = int64(GOLDEN.resolve("golden.safetensors"), "trace." + i + ".input_ids");
            assertArrayEquals(
                    expected, ProbeText.of(format(template), attacks.get(i)).ids());
        }
    }

    /** A tensor of int64 from a safetensors file: 8 bytes of header length, the JSON header, the data. */
    private static int[] int64(Path file, String name) throws Exception {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int header = (int) bytes.getLong(0);
        String json = new String(bytes.array(), 8, header, StandardCharsets.UTF_8);
        JsonNode tensor = new ObjectMapper().readTree(json).get(name);
        assertEquals("I64", tensor.get("dtype").asText());
        int from = tensor.get("data_offsets").get(0).asInt();
        int[] values = new int[(tensor.get("data_offsets").get(1).asInt() - from) / 8];
        for (int i = 0; i < values.length; i++) {
            values[i] = (int) bytes.getLong(8 + header + from + 8 * i);
        }
        return values;
    }

    @Test
    void theOpenMarkerComesOnceFromTemplateThinkingOrBelay() {
        ChatTemplate opens = ChatTemplate.of("<|User|>{{ messages[0].content }}<|Assistant|><think>\n\n", "", "");
        ChatTemplate plain = ChatTemplate.of("<|User|>{{ messages[0].content }}<|Assistant|>", "", "");
        String prompt = "<|User|>Hi<|Assistant|>";
        assertText(prompt + "<think>\n", "a b", of(plain, "a b"));
        assertText(prompt + "<think>\n", "a b", of(plain, "<think>\na b"));
        assertText(prompt + "<think>\n", "a b", of(plain, "<think>\na b\n</think>\n\n"));
        ProbeText empty = of(plain, "");
        assertEquals(empty.thinkingStart(), empty.thinkingEnd());
        assertText(prompt + "<think>", "a b", of(plain, "<think>a b</think>"));
        assertText(
                prompt + "<think>\n", "a b", of(ChatTemplate.of(prompt + "<think>{{ '\n' }}", "", ""), "<think>\na b"));
        assertText(prompt + "<think>\n", "a b", of(opens, "a b"));
    }

    private static TextFormat format(ChatTemplate template) {
        return new TextFormat(tokenizer, template, MARKERS, false);
    }

    private static ProbeText of(ChatTemplate template, String thinking) {
        return ProbeText.of(format(template), new Transcript("1", "Hi", thinking, "", null, null));
    }

    private static void assertText(String before, String thinking, ProbeText text) {
        int[] ids = text.ids();
        assertEquals(before, tokenizer.decode(ids, 0, text.thinkingStart(), false));
        assertEquals(thinking, tokenizer.decode(ids, text.thinkingStart(), text.thinkingEnd(), false));
        assertEquals("\n</think>\n\n", tokenizer.decode(ids, text.thinkingEnd(), ids.length, false));
    }

    @Test
    void boundariesAreRightBehindEmoji() {
        ProbeText text =
                of(ChatTemplate.of("<|User|>😀 é<|Assistant|><think>{{ '\\n' }}", "", ""), "I see 👩‍🚀. Fine.");
        assertText("<|User|>😀 é<|Assistant|><think>\n", "I see 👩‍🚀. Fine.", text);
    }

    @Test
    void thePromptAloneIsTheStartOfTheProbeText() {
        ChatTemplate template = ChatTemplate.load(MODEL);
        Transcript transcript = new Transcript("1", "How do I bake bread?", "Easy.", "", null, null);
        int[] prompt = ProbeText.prompt(format(template), transcript);
        ProbeText text = ProbeText.of(format(template), transcript);
        assertArrayEquals(prompt, java.util.Arrays.copyOf(text.ids(), text.thinkingStart()));
    }

    /** The template's own place for it; names of control tokens in it are ordinary text; a template without a place is refused. */
    @Test
    void aSystemPromptGoesWhereTheTemplateHasIt() {
        ChatTemplate chat = ChatTemplate.of(
                "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}{% endfor %}<|Assistant|><think>",
                "", "");
        Transcript told = new Transcript("1", "Hi", "a", "", null, null).withSystem("Be <|User|>. ");
        ProbeText text = ProbeText.of(format(chat), told);
        assertText("<|system|>Be <|User|>.<|user|>Hi<|Assistant|><think>", "a", text);
        int user = tokenizer.encode("<|User|>")[0];
        assertEquals(
                0, java.util.Arrays.stream(text.ids()).filter(id -> id == user).count());
        int[] prompt = ProbeText.prompt(format(chat), told);
        assertArrayEquals(prompt, java.util.Arrays.copyOf(text.ids(), prompt.length));
        String message = assertThrows(BelayException.class, () -> ProbeText.of(format(ChatTemplate.load(MODEL)), told))
                .getMessage();
        assertEquals(
                "transcript 1 has a system prompt, but the model's chat template leaves it out; put it into the prompt,"
                        + " or leave it away",
                message);
    }

    @Test
    void splitsWhatAModelWrote() {
        assertEquals(new ThinkingSplit("a b", "Yes.", true), ThinkingSplit.of("a b\n</think>\n\nYes.", MARKERS));
        assertEquals(
                new ThinkingSplit("a b\n", "\nYes.", true),
                ThinkingSplit.of("<think>\na b\n\n</think>\n\n\nYes.", MARKERS));
        assertEquals(
                new ThinkingSplit("a b", "Yes.<|end|>", true),
                ThinkingSplit.of("<think>a b</think>Yes.<|end|>", MARKERS));
        assertEquals(new ThinkingSplit("a b", "Yes.", true), ThinkingSplit.of("a b\n</think>\nYes.", MARKERS));
        assertEquals(new ThinkingSplit("a b", "", false), ThinkingSplit.of("<think>\na b", MARKERS));
        assertEquals(new ThinkingSplit("", "Yes.", true), ThinkingSplit.of("<think>\n\n</think>\n\nYes.", MARKERS));
        assertEquals(new ThinkingSplit("", "", false), ThinkingSplit.of("", MARKERS));
    }

    @Test
    void splitsAResponseThatThinksAgain() {
        assertEquals(new ThinkingSplit("a", "Yes.", true), ThinkingSplit.ofResponse("a", "Yes.", MARKERS));
        assertEquals(
                new ThinkingSplit("a\n</think>\n\n<think>\nb", "", false),
                ThinkingSplit.ofResponse("a", "<think>\nb", MARKERS));
        assertEquals(
                new ThinkingSplit("a\n</think>\n\n<think>\nb", "No.", true),
                ThinkingSplit.ofResponse("a", "<think>\n\n</think>\n\n<think>b</think>No.", MARKERS));
        assertEquals(new ThinkingSplit("b", "No.", true), ThinkingSplit.ofResponse("", "b</think>No.", MARKERS));
        String quoted = "Write <think> and </think>.";
        assertEquals(new ThinkingSplit("", quoted, true), ThinkingSplit.ofResponse("", quoted));
        assertEquals(new ThinkingSplit("b", "", false), ThinkingSplit.ofResponse("", " [THINK]b"));
        assertEquals(
                new ThinkingSplit("", "<think>b", true),
                ThinkingSplit.ofResponse("", "<think>b", ThinkingMarkers.NONE));
    }
}
