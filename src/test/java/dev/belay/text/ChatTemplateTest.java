package dev.belay.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ChatTemplateTest {
    private static final List<Message> HISTORY = List.of(
            Message.user("First?"),
            new Message("assistant", "<think>\nLet me see.\n</think>\n\nAnswer one."),
            Message.user("Second — {{ not a template }} <tag>?"));

    @TempDir
    Path folder;

    private void write(String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text);
    }

    private String rendered() {
        return ChatTemplate.load(folder).render(List.of(Message.user("Hi")), true);
    }

    @ParameterizedTest
    @CsvSource({"true, '<|Assistant|><think>\n'", "false, ''"})
    void rendersTheTemplateOfTinyCliff(boolean generate, String end) {
        ChatTemplate template = ChatTemplate.load(Path.of("models/tiny-cliff"));
        assertEquals(
                "<|begin_of_text|><|User|>How do I bake bread?" + end,
                template.render(List.of(Message.user("How do I bake bread?")), generate));
        List<Message> system = List.of(new Message("system", "You are terse."), Message.user("Hello  world\n"));
        assertEquals("<|begin_of_text|><|User|>Hello  world\n" + end, template.render(system, generate));
        assertEquals(
                "<|begin_of_text|><|User|>First?<|Assistant|>\n\nAnswer one.<|end_of_text|>"
                        + "<|User|>Second — {{ not a template }} <tag>?" + end,
                template.render(HISTORY, generate));
    }

    @Test
    void findsTheTemplateAndTheTokensWhereverAModelKeepsThem() throws IOException {
        write("tokenizer_config.json", """
                {"bos_token": {"content": "<s>"}, "eos_token": null,
                 "chat_template": [{"name": "tools", "template": "no"}, {"name": "default", "template": "list {{ bos_token }}"}]}
                """);
        write("special_tokens_map.json", "{\"bos_token\": \"no\", \"eos_token\": {\"content\": \"</s>\"}}");
        assertEquals("list <s>", rendered());
        write("chat_template.json", "{\"chat_template\": \"json {{ eos_token }}\"}");
        assertEquals("json </s>", rendered());
        write("chat_template.jinja", "jinja {{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}\n");
        assertEquals("jinja <s>Hi</s>", rendered());
    }

    @Test
    void passesTheSpecialTokensThatThereAreAndNoOthers() throws IOException {
        write("tokenizer_config.json", """
                {"pad_token": "<pad>", "bos_token": null, "add_bos_token": true, "unk_token": {"content": "<unk>"},
                 "image_token": "<img>", "extra_special_tokens": {"audio": "<audio>"}}
                """);
        write("special_tokens_map.json", "{\"mask_token\": \"<mask>\", \"extra_special_tokens\": [\"<x>\"]}");
        write(
                "chat_template.jinja",
                "{{ [pad_token, unk_token, image_token, audio, mask_token, bos_token, eos_token] }}");
        assertEquals("['<pad>', '<unk>', '<img>', '<audio>', '<mask>', Undefined, Undefined]", rendered());
        write("chat_template.jinja", "{{ bos_token }}{{ bos_token is defined }}{{ add_bos_token is defined }}");
        assertEquals("FalseFalse", rendered());
        write("chat_template.jinja", "{{ bos_token + messages[0].content }}");
        assertEquals(
                "the chat template " + folder.resolve("chat_template.jinja") + " failed: 'bos_token' is undefined",
                assertThrows(BelayException.class, this::rendered).getMessage());
    }

    /** As the template of Llama-Guard-3-1B, which reads nothing else. Strings stay strings for a template that shows them. */
    @Test
    void givesContentsInPartsToATemplateThatShowsNoStrings() {
        List<Message> messages = List.of(Message.user(" Hi "), new Message("assistant", "Yes."));
        String header = "{% for m in messages %}<{{ m.role }}>";
        String end = "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
        String parts = "{% for p in m.content if p.type == 'text' %}{{ p.text | trim }}{% endfor %}";
        assertEquals(
                "<user>Hi<assistant>Yes.<assistant>",
                ChatTemplate.of(header + parts + end, "", "").render(messages, true));
        assertEquals(
                "<user>Hi<assistant>Yes.",
                ChatTemplate.of(header + "{{ m.content[0]['text'] | trim }}" + end, "", "")
                        .render(messages, false));
        String either = "{% if m.content is string %}{{ m.content }}{% else %}parts: " + parts + "{% endif %}";
        assertEquals(
                "<user> Hi <assistant>Yes.",
                ChatTemplate.of(header + either + end, "", "").render(messages, false));
        assertEquals(
                "<user><assistant>",
                ChatTemplate.of(header + "{% if m.content is not string %}{{ m.content }}{% endif %}" + end, "", "")
                        .render(messages, false));
    }

    @Test
    void saysWhatToDoWithoutATemplate() throws IOException {
        write("tokenizer_config.json", "{\"bos_token\": \"<s>\"}");
        assertEquals(
                "the model " + folder + " has no chat template: add chat_template to tokenizer_config.json or a"
                        + " chat_template.jinja to the model's folder",
                assertThrows(BelayException.class, this::rendered).getMessage());
        write("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"tools\", \"template\": \"\"}]}");
        assertTrue(
                assertThrows(BelayException.class, this::rendered).getMessage().contains("an entry named default"));
        write("tokenizer_config.json", "{\"chat_template\": ");
        String message = assertThrows(BelayException.class, this::rendered).getMessage();
        assertTrue(message.contains("tokenizer_config.json is not valid JSON (line 1"), message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '§',
            value = {
                "{{ raise_exception('Only user turns') }} § failed: the template refuses these messages: Only user turns",
                "{% if x %} § cannot be read: line 1: the end is reached, but 'if' is not closed",
                "{{ 'open § cannot be read: the string 'open",
                "{{ messages[0].content.explode() }} § failed: there is no method 'explode' of a string",
                "{{ messages | nonsense }} § cannot be read: line 1: there is no filter 'nonsense'",
                "{{ messages[0].getClass() }} § failed: there is no method 'getClass' of a mapping",
                "{{ 1 +* 2 }} § cannot be read: line 1: expected an expression, but found '*'",
                "{{ undefined.content }} § failed: 'undefined' is undefined",
                "{% include 'x' %} § cannot be read: line 1: 'include' is no tag",
                "{% nonsense %} § cannot be read: line 1: 'nonsense' is no tag",
                "{% for m messages %}{% endfor %} § cannot be read: line 1: expected 'in', but found 'messages'",
            })
    void failuresAreOneLineWithTheReason(String template, String reason) {
        BelayException e = assertThrows(
                BelayException.class,
                () -> ChatTemplate.of(template, "", "").render(List.of(Message.user("Hi")), true));
        assertTrue(e.getMessage().startsWith("the chat template " + reason), e.getMessage());
        assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    }
}
