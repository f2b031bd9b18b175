package dev.belay.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Compares with what transformers rendered for templates of published models. They are other people's text and not part of this
 * project: the variable BELAY_GOLDEN names a folder that has them as templates/templates.json, a JSON list of {name, case, template,
 * bos_token, eos_token, messages: [{role, content}], add_generation_prompt, expected}.
 */
class ChatTemplateFileTest {
    @Test
    void rendersEveryCaseOfTheFileExactly() throws Exception {
        String folder = System.getenv("BELAY_GOLDEN");
        assumeTrue(folder != null, "set BELAY_GOLDEN to compare with templates of published models");
        JsonNode cases = new ObjectMapper().readTree(new File(folder, "templates/templates.json"));
        List<String> failures = new ArrayList<>();
        for (JsonNode one : cases) {
            List<Message> messages = new ArrayList<>();
            one.get("messages")
                    .forEach(m -> messages.add(
                            new Message(m.get("role").asText(), m.get("content").asText())));
            boolean generate = one.get("add_generation_prompt").asBoolean();
            String name = one.get("name").asText() + "/" + one.get("case").asText() + "/" + generate;
            String actual;
            try {
                actual = ChatTemplate.of(
                                one.get("template").asText(),
                                one.get("bos_token").asText(),
                                one.get("eos_token").asText())
                        .render(messages, generate);
            } catch (RuntimeException e) {
                actual = e.toString();
            }
            if (!actual.equals(one.get("expected").asText())) {
                failures.add(
                        name + "\n  expected " + one.get("expected") + "\n  but was  " + actual.replace("\n", "\\n"));
            }
        }
        System.out.println(cases.size() - failures.size() + " of " + cases.size() + " cases render as expected");
        assertEquals(List.of(), failures);
    }
}
