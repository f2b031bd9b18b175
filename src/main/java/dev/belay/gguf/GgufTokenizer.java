package dev.belay.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The tokenizer.json and tokenizer_config.json of a GGUF file. A byte-level BPE has its merges in the file, and its way of splitting text
 * by name; a SentencePiece BPE has scores, from which its merges follow.
 */
final class GgufTokenizer {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final String SPACE = "\u2581";
    /** Types of tokens in the file. */
    private static final int UNKNOWN = 2;

    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;

    private static final String WORDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
    private static final String REST = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String LLAMA3 = WORDS + "\\p{N}{1,3}|" + REST;
    private static final String QWEN = WORDS + "\\p{N}|" + REST;
    private static final String TEKKEN =
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
                    + "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|"
                    + "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    private final GgufFile file;
    private final List<String> tokens;
    private final List<Number> types;

    GgufTokenizer(GgufFile file) {
        this.file = file;
        tokens = file.texts("tokenizer.ggml.tokens");
        types = file.has("tokenizer.ggml.token_type") ? file.numbers("tokenizer.ggml.token_type") : List.of();
        if (!types.isEmpty() && types.size() != tokens.size()) {
            throw new BelayException(
                    file.path() + " has " + tokens.size() + " tokens, but types of " + types.size() + " tokens");
        }
    }

    ObjectNode tokenizer() {
        ObjectNode json = JSON.objectNode();
        json.put("version", "1.0").putNull("truncation").putNull("padding");
        ArrayNode added = json.putArray("added_tokens");
        for (int id = 0; id < tokens.size(); id++) {
            int type = types.isEmpty() ? 1 : types.get(id).intValue();
            if (type == CONTROL || type == USER_DEFINED || type == UNKNOWN) {
                ObjectNode token = added.addObject().put("id", id).put("content", tokens.get(id));
                token.put("single_word", false).put("lstrip", false).put("rstrip", false);
                token.put("normalized", false).put("special", type != USER_DEFINED);
            }
        }
        String model = file.text("tokenizer.ggml.model");
        switch (model) {
            case "gpt2" -> byteLevel(json);
            case "llama" -> sentencePiece(json);
            default ->
                throw new BelayException(file.path() + " has a tokenizer of the kind '" + GgufFile.shown(model)
                        + "'; gpt2 (byte-level BPE) and llama (SentencePiece BPE) can be converted");
        }
        json.set("post_processor", begin());
        return json;
    }

    /** Puts the begin token before a text where the file wants it. */
    private JsonNode begin() {
        if (!file.flag("tokenizer.ggml.add_bos_token", false) || !file.has("tokenizer.ggml.bos_token_id")) {
            return JSON.nullNode();
        }
        String name = name("tokenizer.ggml.bos_token_id");
        ObjectNode post = JSON.objectNode().put("type", "TemplateProcessing");
        ArrayNode single = post.putArray("single");
        ArrayNode pair = post.putArray("pair");
        for (ArrayNode list : List.of(single, pair)) {
            list.addObject().putObject("SpecialToken").put("id", name).put("type_id", 0);
            list.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
        }
        pair.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
        ObjectNode special = post.putObject("special_tokens").putObject(name).put("id", name);
        special.putArray("ids").add(file.whole("tokenizer.ggml.bos_token_id"));
        special.putArray("tokens").add(name);
        return post;
    }

    private String name(String key) {
        int id = file.whole(key);
        if (id >= tokens.size()) {
            throw new BelayException(
                    file.path() + ": " + key + " is " + id + ", but there are " + tokens.size() + " tokens");
        }
        return tokens.get(id);
    }

    private ObjectNode vocabulary() {
        ObjectNode vocabulary = JSON.objectNode();
        for (int id = 0; id < tokens.size(); id++) {
            if (vocabulary.has(tokens.get(id))) {
                throw new BelayException(file.path() + " has the token '" + GgufFile.shown(tokens.get(id)) + "' twice");
            }
            vocabulary.put(tokens.get(id), id);
        }
        return vocabulary;
    }

    private ObjectNode model(ObjectNode json) {
        ObjectNode model =
                json.putObject("model").put("type", "BPE").putNull("dropout").putNull("unk_token");
        return model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
    }

    private void byteLevel(ObjectNode json) {
        String splitting = file.text("tokenizer.ggml.pre", "gpt-2");
        boolean whole = splitting.matches("llama-bpe|llama-v3|llama3|tekken");
        json.set("normalizer", JSON.nullNode());
        if (splitting.matches("qwen2|deepseek-r1-qwen")) {
            json.putObject("normalizer").put("type", "NFC");
        }
        json.set("pre_tokenizer", preTokenizer(splitting));
        json.set("decoder", byteLevel(true));
        ObjectNode model = model(json);
        model.put("fuse_unk", false).put("byte_fallback", false).put("ignore_merges", whole);
        model.set("vocab", vocabulary());
        ArrayNode merges = model.putArray("merges");
        for (String merge : file.texts("tokenizer.ggml.merges")) {
            int space = merge.indexOf(' ', 1);
            if (space < 0 || space == merge.length() - 1) {
                throw new BelayException(
                        file.path() + " has the merge '" + GgufFile.shown(merge) + "', which is no pair of tokens");
            }
            merges.addArray().add(merge.substring(0, space)).add(merge.substring(space + 1));
        }
    }

    private JsonNode preTokenizer(String splitting) {
        return switch (splitting) {
            case "gpt-2" -> byteLevel(true);
            case "smollm" -> sequence(JSON.objectNode().put("type", "Digits").put("individual_digits", true), true);
            case "llama-bpe", "llama-v3", "llama3" -> sequence(split(LLAMA3), false);
            case "qwen2", "deepseek-r1-qwen" -> sequence(split(QWEN), false);
            case "tekken" -> sequence(split(TEKKEN), false);
            default ->
                throw new BelayException(file.path() + " splits text as '" + GgufFile.shown(splitting)
                        + "' does, which is not known; gpt-2, smollm, llama-bpe, qwen2, deepseek-r1-qwen and tekken are."
                        + " Copy tokenizer.json from the original model and convert with --without-tokenizer");
        };
    }

    private static ObjectNode byteLevel(boolean regex) {
        ObjectNode json = JSON.objectNode().put("type", "ByteLevel").put("add_prefix_space", false);
        return json.put("trim_offsets", true).put("use_regex", regex);
    }

    private static ObjectNode split(String regex) {
        ObjectNode split = JSON.objectNode().put("type", "Split");
        split.putObject("pattern").put("Regex", regex);
        return split.put("behavior", "Isolated").put("invert", false);
    }

    private static ObjectNode sequence(ObjectNode first, boolean regex) {
        ObjectNode sequence = JSON.objectNode().put("type", "Sequence");
        sequence.putArray("pretokenizers").add(first).add(byteLevel(regex));
        return sequence;
    }

    private void sentencePiece(ObjectNode json) {
        ObjectNode normalizer = json.putObject("normalizer").put("type", "Sequence");
        ArrayNode steps = normalizer.putArray("normalizers");
        boolean prefix = file.flag("tokenizer.ggml.add_space_prefix", true);
        if (prefix) {
            steps.addObject().put("type", "Prepend").put("prepend", SPACE);
        }
        steps.add(replace(" ", SPACE));
        json.putNull("pre_tokenizer");
        ObjectNode decoder = json.putObject("decoder").put("type", "Sequence");
        ArrayNode back = decoder.putArray("decoders").add(replace(SPACE, " "));
        back.addObject().put("type", "ByteFallback");
        back.addObject().put("type", "Fuse");
        if (prefix) {
            back.addObject()
                    .put("type", "Strip")
                    .put("content", " ")
                    .put("start", 1)
                    .put("stop", 0);
        }
        ObjectNode model = model(json);
        int unknown = file.whole("tokenizer.ggml.unknown_token_id", 0);
        model.put("unk_token", unknown < tokens.size() ? tokens.get(unknown) : null);
        model.put("fuse_unk", true).put("byte_fallback", true).put("ignore_merges", false);
        model.set("vocab", vocabulary());
        ArrayNode merges = model.putArray("merges");
        for (Merge merge : merges()) {
            merges.addArray().add(merge.left).add(merge.right);
        }
    }

    private static ObjectNode replace(String from, String to) {
        ObjectNode replace = JSON.objectNode().put("type", "Replace");
        replace.putObject("pattern").put("String", from);
        return replace.put("content", to);
    }

    private record Merge(String left, String right, float score, int leftId, int rightId) {}

    /**
     * Every way to put a token together from two others, those with the larger score first. Of the same score, longer left parts go
     * first, as transformers sorts them.
     */
    private List<Merge> merges() {
        List<Number> scores = file.numbers("tokenizer.ggml.scores");
        if (scores.size() != tokens.size()) {
            throw new BelayException(
                    file.path() + " has " + tokens.size() + " tokens, but scores of " + scores.size() + " tokens");
        }
        Map<String, Integer> ids = new HashMap<>();
        for (int id = 0; id < tokens.size(); id++) {
            ids.put(tokens.get(id), id);
        }
        List<Merge> merges = new ArrayList<>();
        for (int id = 0; id < tokens.size(); id++) {
            String token = tokens.get(id);
            List<Merge> own = new ArrayList<>();
            for (int cut = 1; cut < token.length(); cut++) {
                Integer left = ids.get(token.substring(0, cut));
                Integer right = ids.get(token.substring(cut));
                if (left != null && right != null) {
                    own.add(new Merge(
                            token.substring(0, cut),
                            token.substring(cut),
                            scores.get(id).floatValue(),
                            left,
                            right));
                }
            }
            own.sort(Comparator.comparingInt(Merge::leftId).thenComparingInt(Merge::rightId));
            merges.addAll(own);
        }
        merges.sort(Comparator.comparingDouble(Merge::score)
                .thenComparingInt(m -> m.left.codePointCount(0, m.left.length()))
                .thenComparingInt(m -> m.right.codePointCount(0, m.right.length()))
                .reversed());
        return merges;
    }

    /** The begin, end and padding tokens, and the chat template. */
    ObjectNode config() {
        ObjectNode json = JSON.objectNode().put("tokenizer_class", "PreTrainedTokenizerFast");
        json.put("add_bos_token", file.flag("tokenizer.ggml.add_bos_token", false));
        json.put("clean_up_tokenization_spaces", false);
        for (String token : List.of("bos", "eos", "pad")) {
            String key = "tokenizer.ggml." + (token.equals("pad") ? "padding" : token) + "_token_id";
            if (file.has(key)) {
                json.put(token + "_token", name(key));
            }
        }
        if (file.has("tokenizer.chat_template")) {
            json.put("chat_template", file.text("tokenizer.chat_template"));
        }
        return json;
    }
}
