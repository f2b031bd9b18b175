package dev.belay.dataset;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.BelayException;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** Published files of prompts, by what their columns mean. Detection goes in this order: the first whose columns are there. */
public enum DatasetFormat {
    /** The refusal cliff's authors': {@code original_item} with prompt, thinking, response and more; the latter two may stand beside it. */
    REFUSALCLIFF {
        @Override
        boolean fits(Fields f) {
            return f.has("original_item.prompt");
        }

        @Override
        Item read(Fields f) {
            String at = "original_item.";
            Boolean harmful = f.truth(at + "harmful");
            boolean within = !(f.textOrEmpty(at + "thinking") + f.textOrEmpty(at + "response")).isEmpty();
            return new Item(f.text(at + "prompt"))
                    .thinking(f.textOrEmpty((within ? at : "") + "thinking"))
                    .response(f.textOrEmpty((within ? at : "") + "response"))
                    .harmful(harmful == null ? ofType(f.textOrEmpty(at + "data_type")) : harmful)
                    .meta(f, at, "safe_response", "data_type");
        }
    },
    /** WildJailbreak: vanilla and adversarial prompts with a data type; train with a completion, eval without. */
    WILDJAILBREAK {
        @Override
        boolean fits(Fields f) {
            return f.has("adversarial", "data_type");
        }

        @Override
        Item read(Fields f) {
            String type = f.text("data_type");
            boolean vanilla =
                    type.startsWith("vanilla") || f.text("adversarial").isBlank() && !type.startsWith("adversarial");
            return new Item(vanilla ? f.textOrEmpty("vanilla") : f.text("adversarial"))
                    .response(f.textOrEmpty("completion"))
                    .harmful(ofType(type))
                    .meta(f, "", "data_type");
        }
    },
    /** UltraChat: conversations, of which the user's first message and the answer to it are taken; harmless. */
    ULTRACHAT {
        @Override
        boolean fits(Fields f) {
            // Not messages alone: many other files have those, and their prompts need not be harmless.
            return (f.has("prompt_id") && f.node("messages").path(0).has("content"))
                    || (f.has("id") && f.node("data").path(0).isTextual());
        }

        @Override
        Item read(Fields f) {
            JsonNode messages = f.node("messages");
            Item item;
            if (messages.isArray()) {
                int first = 0;
                while (first < messages.size() && !role(messages, first).equals("user")) {
                    first++;
                }
                item = new Item(messages.path(first).path("content").asText());
                boolean answered = role(messages, first + 1).equals("assistant");
                item.response(
                        answered ? messages.path(first + 1).path("content").asText() : "");
                boolean told = first > 0 && role(messages, 0).equals("system");
                item.system(told ? messages.path(0).path("content").asText() : "");
            } else {
                item = new Item(f.node("data").path(0).asText());
                item.response(f.node("data").path(1).asText());
            }
            return item.id(f.textOrEmpty(f.has("prompt_id") ? "prompt_id" : "id"))
                    .harmful(false);
        }
    },
    /** SORRY-Bench: a turn, a category and a style of the prompt; harmful. */
    SORRYBENCH {
        @Override
        boolean fits(Fields f) {
            return f.has("question_id", "turns");
        }

        @Override
        Item read(Fields f) {
            return new Item(f.text("turns.0")).harmful(true).meta(f, "", "question_id", "category", "prompt_style");
        }
    },
    /** StrongREJECT: forbidden prompts; harmful. */
    STRONGREJECT {
        @Override
        boolean fits(Fields f) {
            return f.has("forbidden_prompt");
        }

        @Override
        Item read(Fields f) {
            return new Item(f.text("forbidden_prompt")).harmful(true).meta(f, "", "category", "source");
        }
    },
    /** XSTest: safe prompts that look unsafe, and unsafe ones in contrast. */
    XSTEST {
        @Override
        boolean fits(Fields f) {
            return f.has("prompt", "type") && (f.has("focus") || f.has("id_v2") || f.has("note_v2"));
        }

        @Override
        Item read(Fields f) {
            Boolean unsafe =
                    f.has("label") ? f.truth("label") : (Boolean) f.text("type").startsWith("contrast_");
            return new Item(f.text("prompt"))
                    .id(f.textOrEmpty(f.has("id") ? "id" : "id_v2"))
                    .harmful(unsafe)
                    .meta(f, "", "type", "focus", "note", "note_v2");
        }
    },
    /** HarmBench: behaviors, some with a context that goes before them; harmful. */
    HARMBENCH {
        @Override
        boolean fits(Fields f) {
            return f.has("Behavior", "BehaviorID");
        }

        @Override
        Item read(Fields f) {
            String context = f.textOrEmpty("ContextString");
            String behavior = f.text("Behavior");
            return new Item(context.isBlank() ? behavior : context + "\n\n---\n\n" + behavior)
                    .id(f.text("BehaviorID"))
                    .harmful(true)
                    .meta(f, "", "FunctionalCategory", "SemanticCategory", "Tags");
        }
    },
    /** JailbreakBench: goals with behavior and category; its harmful and benign files have the same columns. */
    JAILBREAKBENCH {
        @Override
        boolean fits(Fields f) {
            return f.has("Goal", "Behavior");
        }

        @Override
        Item read(Fields f) {
            return new Item(f.text("Goal")).meta(f, "", "Target", "Behavior", "Category", "Source");
        }
    },
    /** AdvBench: a goal and the beginning of an answer; harmful. */
    ADVBENCH {
        @Override
        boolean fits(Fields f) {
            return f.has("goal", "target");
        }

        @Override
        Item read(Fields f) {
            return new Item(f.text("goal")).harmful(true).meta(f, "", "target");
        }
    };

    /** Who says a message; where no message says so, they take turns. */
    private static String role(JsonNode messages, int at) {
        String turn = at % 2 == 0 ? "user" : "assistant";
        return messages.path(at).path("role").asText(turn);
    }

    /** What WildJailbreak's data types, such as adversarial_harmful, say about the prompt; null if nothing. */
    private static Boolean ofType(String type) {
        return type.endsWith("harmful") ? Boolean.TRUE : type.endsWith("benign") ? Boolean.FALSE : null;
    }

    /** Whether the fields of a record are those of this format. */
    abstract boolean fits(Fields fields);

    /** Reads a record. */
    abstract Item read(Fields fields);

    /** The name that options use. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The format that a record belongs to. */
    static Optional<DatasetFormat> of(Fields fields) {
        return Arrays.stream(values()).filter(format -> format.fits(fields)).findFirst();
    }

    /**
     * A format by its name.
     *
     * @throws BelayException if there is none of that name
     */
    public static DatasetFormat parse(String name) {
        for (DatasetFormat format : values()) {
            if (format.label().equals(name.toLowerCase(Locale.ROOT).replaceAll("[-_]", ""))) {
                return format;
            }
        }
        throw new BelayException("'" + name + "' is no known file of prompts: use " + labels());
    }

    /** All names, with commas. */
    public static String labels() {
        return Arrays.stream(values()).map(DatasetFormat::label).collect(Collectors.joining(", "));
    }
}
