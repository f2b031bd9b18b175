package dev.belay.dataset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Files of questions with several choices, and how lm-evaluation-harness words them: its tasks {@code arc_challenge} (version 1.0) and
 * {@code leaderboard_mmlu_pro} (version 0.1).
 */
public enum ChoiceTask {
    /** ARC: question, choices with text and label, answerKey; also as the Allen Institute's files have it, with question.stem. */
    ARC_CHALLENGE {
        @Override
        Question read(ObjectNode record, String id, String place) {
            JsonNode question = record.path("question");
            boolean nested = question.isObject();
            JsonNode choices = nested ? question.path("choices") : record.path("choices");
            boolean columns = choices.isObject();
            List<String> texts = columns ? texts(choices.path("text"), "", place) : texts(choices, "text", place);
            List<String> labels = columns ? texts(choices.path("label"), "", place) : texts(choices, "label", place);
            String key = text(record.path("answerKey"), "answerKey", place);
            int gold = labels.indexOf(key);
            if (gold < 0 || labels.size() != texts.size()) {
                throw new BelayException(place + ": the answerKey '" + key + "' is not one of the labels " + labels);
            }
            return of(id, text(nested ? question.path("stem") : question, "question", place), texts, gold);
        }
    },
    /** MMLU-Pro: question, options, answer_index; the choices are the letters of the options. */
    MMLU_PRO {
        @Override
        Question read(ObjectNode record, String id, String place) {
            List<String> options = texts(record.path("options"), "", place);
            if (options.size() > LETTERS.length()) {
                throw new BelayException(
                        place + " has " + options.size() + " options; there are letters for " + LETTERS.length());
            }
            StringBuilder context = new StringBuilder(text(record.path("question"), "question", place)).append('\n');
            List<String> letters = new ArrayList<>();
            for (String option : options) {
                letters.add(LETTERS.substring(letters.size(), letters.size() + 1));
                context.append(letters.getLast()).append(". ").append(option).append('\n');
            }
            int gold = number(record.path("answer_index"), "answer_index", options.size(), place);
            return new Question(id, context.append("Answer:").toString(), "", letters, gold);
        }
    },
    /** Any other: question, choices as a list of texts, answer as the right one's number from 0 or its text; worded as ARC. */
    FILE {
        @Override
        Question read(ObjectNode record, String id, String place) {
            List<String> choices = texts(record.path("choices"), "", place);
            JsonNode answer = record.path("answer");
            int gold = answer.isTextual()
                    ? choices.indexOf(answer.textValue())
                    : number(answer, "answer", choices.size(), place);
            if (gold < 0) {
                throw new BelayException(place + ": the answer '" + answer.textValue()
                        + "' is none of the choices; give one of them, or its number from 0");
            }
            return of(id, text(record.path("question"), "question", place), choices, gold);
        }
    };

    private static final String LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    /** The question that a record holds. */
    abstract Question read(ObjectNode record, String id, String place);

    /**
     * Reads the questions of a file, the first {@code limit} of them.
     *
     * @throws BelayException naming the file and the record that cannot be read or used, or if there is none
     */
    public List<Question> read(Path file, long limit) {
        List<Question> questions = new ArrayList<>();
        try (Records records = Records.open(file)) {
            while (questions.size() < limit) {
                ObjectNode record = records.next();
                if (record == null) {
                    break;
                }
                JsonNode id = record.has("id") ? record.get("id") : record.path("question_id");
                questions.add(read(record, id.asText(Integer.toString(questions.size() + 1)), records.place()));
            }
        }
        if (questions.isEmpty()) {
            throw new BelayException(file + " has no questions");
        }
        return questions;
    }

    private static Question of(String id, String question, List<String> choices, int gold) {
        return new Question(id, "Question: " + question + "\nAnswer:", " ", choices, gold);
    }

    private static String text(JsonNode node, String name, String place) {
        if (!node.isTextual()) {
            throw new BelayException(place + " has no text '" + name + "'; is it a file of this task?");
        }
        return node.textValue();
    }

    /** The texts of a list, or with a {@code field} that of each of its objects. */
    private static List<String> texts(JsonNode list, String field, String place) {
        if (!list.isArray() || list.isEmpty()) {
            throw new BelayException(place + " has no list of choices; is it a file of this task?");
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode node : list) {
            String text = text(field.isEmpty() ? node : node.path(field), "choice", place);
            if (text.isEmpty()) {
                throw new BelayException(place + ": choice " + (texts.size() + 1) + " is empty");
            }
            texts.add(text);
        }
        if (texts.size() == 1) {
            throw new BelayException(place + " has one choice only, which is always the likeliest");
        }
        return texts;
    }

    private static int number(JsonNode node, String name, int choices, String place) {
        if (!node.canConvertToInt() || node.intValue() < 0 || node.intValue() >= choices) {
            throw new BelayException(place + ": '" + name + "' is " + node + ", not a number from 0 to " + (choices - 1)
                    + " of one of the choices");
        }
        return node.intValue();
    }
}
