package dev.belay.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.text.Merge;
import dev.belay.text.TokenizerJson;
import java.util.Comparator;
import java.util.List;

/**
 * The tokenizer.json and tokenizer_config.json of a GGUF file. A byte-level BPE has its merges in the file, and its way of splitting text
 * by name; a SentencePiece BPE has scores, from which its merges follow.
 */
final class GgufTokenizer {
    /** Types of tokens in the file. */
    private static final int UNKNOWN = 2;

    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;

    /** Ways of splitting text whose merges are only for what is no token itself, and which begin texts with a begin token. */
    private static final String WHOLE = "llama-bpe|llama-v3|llama3|tekken";

    private static final String WITHOUT =
            " convert with --without-tokenizer and copy tokenizer.json from the original model";

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
        String model = file.text("tokenizer.ggml.model");
        TokenizerJson json = switch (model) {
            case "gpt2" -> byteLevel();
            case "llama" -> sentencePiece();
            default ->
                throw new BelayException(file.path() + " has a tokenizer of the kind '" + GgufFile.shown(model)
                        + "'; gpt2 (byte-level BPE) and llama (SentencePiece BPE) can be converted");
        };
        for (int id = 0; id < tokens.size(); id++) {
            if (!json.token(tokens.get(id), id)) {
                throw new BelayException(file.path() + " has the token '" + GgufFile.shown(tokens.get(id)) + "' twice");
            }
            int type = types.isEmpty() ? 1 : types.get(id).intValue();
            if (type == CONTROL || type == USER_DEFINED || type == UNKNOWN) {
                json.added(tokens.get(id), id, type != USER_DEFINED);
            }
        }
        if (begins() && file.has("tokenizer.ggml.bos_token_id")) {
            json.begin(name("tokenizer.ggml.bos_token_id"), file.whole("tokenizer.ggml.bos_token_id"));
        }
        return json.json();
    }

    /** Whether a text begins with the begin token; where the file does not say, as llama.cpp has it for this kind of tokenizer. */
    private boolean begins() {
        boolean usual = file.text("tokenizer.ggml.model").equals("llama")
                || file.text("tokenizer.ggml.pre").matches(WHOLE);
        return file.flag("tokenizer.ggml.add_bos_token", usual);
    }

    private String name(String key) {
        int id = file.whole(key);
        if (id >= tokens.size()) {
            throw new BelayException(
                    file.path() + ": " + key + " is " + id + ", but there are " + tokens.size() + " tokens");
        }
        return tokens.get(id);
    }

    private TokenizerJson byteLevel() {
        if (!file.has("tokenizer.ggml.pre")) {
            throw new BelayException(
                    file.path() + " does not say how it splits text (tokenizer.ggml.pre), as old files;" + WITHOUT);
        }
        String splitting = file.text("tokenizer.ggml.pre");
        TokenizerJson json = TokenizerJson.ofBytes(preTokenizer(splitting), splitting.matches(WHOLE));
        if (splitting.matches("qwen2|deepseek-r1-qwen")) {
            json.compose();
        }
        for (String merge : file.texts("tokenizer.ggml.merges")) {
            int space = merge.indexOf(' ', 1);
            if (space < 0 || space == merge.length() - 1) {
                throw new BelayException(
                        file.path() + " has the merge '" + GgufFile.shown(merge) + "', which is no pair of tokens");
            }
            json.merge(merge.substring(0, space), merge.substring(space + 1));
        }
        return json;
    }

    private JsonNode preTokenizer(String splitting) {
        return switch (splitting) {
            case "gpt-2" -> TokenizerJson.byteLevel(true);
            case "smollm" -> {
                ObjectNode digits = JsonNodeFactory.instance.objectNode().put("type", "Digits");
                yield TokenizerJson.sequence(digits.put("individual_digits", true), true);
            }
            case "llama-bpe", "llama-v3", "llama3" -> TokenizerJson.split(LLAMA3);
            case "qwen2", "deepseek-r1-qwen" -> TokenizerJson.split(QWEN);
            case "tekken" -> TokenizerJson.split(TEKKEN);
            default ->
                throw new BelayException(file.path() + " splits text as '" + GgufFile.shown(splitting)
                        + "' does, which is not known; gpt-2, smollm, llama-bpe, qwen2, deepseek-r1-qwen and tekken are;"
                        + WITHOUT);
        };
    }

    /** The merges follow from the scores: larger ones first, and of the same score longer left parts, as transformers sorts them. */
    private TokenizerJson sentencePiece() {
        List<Number> scores = file.numbers("tokenizer.ggml.scores");
        if (scores.size() != tokens.size()) {
            throw new BelayException(
                    file.path() + " has " + tokens.size() + " tokens, but scores of " + scores.size() + " tokens");
        }
        int unknown = file.whole("tokenizer.ggml.unknown_token_id", 0);
        TokenizerJson json = TokenizerJson.ofSentencePiece(
                file.flag("tokenizer.ggml.add_space_prefix", true),
                unknown < tokens.size() ? tokens.get(unknown) : null);
        Merge.all(file.path(), tokens).stream()
                .sorted(Comparator.<Merge>comparingDouble(
                                m -> scores.get(m.token()).floatValue())
                        .thenComparingInt(
                                m -> m.left().codePointCount(0, m.left().length()))
                        .thenComparingInt(
                                m -> m.right().codePointCount(0, m.right().length()))
                        .reversed())
                .forEach(m -> json.merge(m.left(), m.right()));
        return json;
    }

    /** The begin, end and padding tokens, and the chat template. */
    ObjectNode config() {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("tokenizer_class", "PreTrainedTokenizerFast");
        json.put("add_bos_token", begins());
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
