package dev.belay.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/** Puts a tokenizer.json of byte pairs together, from a vocabulary and merges that another kind of file has. */
public final class TokenizerJson {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    /** What SentencePiece writes for a space. */
    private static final String SPACE = "\u2581";

    private final ObjectNode json = JSON.objectNode();
    private final ArrayNode added;
    private final ObjectNode model;
    private final ObjectNode vocabulary;
    private final ArrayNode merges;

    private TokenizerJson() {
        json.put("version", "1.0").putNull("truncation").putNull("padding");
        added = json.putArray("added_tokens");
        for (String part : List.of("normalizer", "pre_tokenizer", "post_processor", "decoder")) {
            json.putNull(part);
        }
        model = json.putObject("model").put("type", "BPE").putNull("dropout").putNull("unk_token");
        model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
        vocabulary = JSON.objectNode();
        merges = JSON.arrayNode();
    }

    /**
     * A byte-level BPE.
     *
     * @param splitting how text is cut into words: {@link #byteLevel} or a {@link #sequence} with it
     * @param whole whether a word that is a token is that token, whatever the merges say
     */
    public static TokenizerJson ofBytes(JsonNode splitting, boolean whole) {
        TokenizerJson tokenizer = new TokenizerJson();
        tokenizer.json.set("pre_tokenizer", splitting);
        tokenizer.json.set("decoder", byteLevel(true));
        tokenizer.settings(false, whole);
        return tokenizer;
    }

    /**
     * A SentencePiece BPE, with tokens for the bytes of other characters.
     *
     * @param prefix whether a text gets a space before it
     * @param unknown the token for what has none, or null
     */
    public static TokenizerJson ofSentencePiece(boolean prefix, String unknown) {
        TokenizerJson tokenizer = new TokenizerJson();
        ObjectNode normalizer = tokenizer.json.putObject("normalizer").put("type", "Sequence");
        ArrayNode steps = normalizer.putArray("normalizers");
        ObjectNode decoder = tokenizer.json.putObject("decoder").put("type", "Sequence");
        ArrayNode back = decoder.putArray("decoders").add(replace(SPACE, " "));
        back.addObject().put("type", "ByteFallback");
        back.addObject().put("type", "Fuse");
        if (prefix) {
            steps.addObject().put("type", "Prepend").put("prepend", SPACE);
            ObjectNode strip = back.addObject().put("type", "Strip").put("content", " ");
            strip.put("start", 1).put("stop", 0);
        }
        steps.add(replace(" ", SPACE));
        tokenizer.model.put("unk_token", unknown);
        tokenizer.settings(true, false);
        return tokenizer;
    }

    private void settings(boolean byteTokens, boolean whole) {
        model.put("fuse_unk", byteTokens).put("byte_fallback", byteTokens).put("ignore_merges", whole);
        model.set("vocab", vocabulary);
        model.set("merges", merges);
    }

    /** Has texts put into Unicode's composed form first. */
    public void compose() {
        json.putObject("normalizer").put("type", "NFC");
    }

    /**
     * Adds a token to the vocabulary.
     *
     * @return whether it is a new one
     */
    public boolean token(String token, int id) {
        int before = vocabulary.size();
        return vocabulary.put(token, id).size() > before;
    }

    /** Makes a token of the vocabulary one that is found in a text before anything else. */
    public void added(String token, int id, boolean special) {
        ObjectNode entry = added.addObject().put("id", id).put("content", token);
        entry.put("single_word", false).put("lstrip", false).put("rstrip", false);
        entry.put("normalized", false).put("special", special);
    }

    /** Adds a merge, which comes after those that were added before. */
    public void merge(String left, String right) {
        merges.addArray().add(left).add(right);
    }

    /** Has a text begin with a token, where special tokens are asked for. */
    public void begin(String token, int id) {
        ObjectNode post = json.putObject("post_processor").put("type", "TemplateProcessing");
        ArrayNode single = post.putArray("single");
        ArrayNode pair = post.putArray("pair");
        for (ArrayNode list : List.of(single, pair)) {
            list.addObject().putObject("SpecialToken").put("id", token).put("type_id", 0);
            list.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
        }
        pair.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
        ObjectNode special = post.putObject("special_tokens").putObject(token).put("id", token);
        special.putArray("ids").add(id);
        special.putArray("tokens").add(token);
    }

    /** The file. */
    public ObjectNode json() {
        return json;
    }

    /** Cuts text into words where {@code regex} matches, and turns them into bytes. */
    public static ObjectNode split(String regex) {
        ObjectNode split = JSON.objectNode().put("type", "Split");
        split.putObject("pattern").put("Regex", regex);
        return sequence(split.put("behavior", "Isolated").put("invert", false), false);
    }

    /** One step before {@link #byteLevel}. */
    public static ObjectNode sequence(ObjectNode first, boolean words) {
        ObjectNode sequence = JSON.objectNode().put("type", "Sequence");
        sequence.putArray("pretokenizers").add(first).add(byteLevel(words));
        return sequence;
    }

    /** Turns text into bytes; with {@code words} cuts it as GPT-2 does before. */
    public static ObjectNode byteLevel(boolean words) {
        ObjectNode step = JSON.objectNode().put("type", "ByteLevel").put("add_prefix_space", false);
        return step.put("trim_offsets", true).put("use_regex", words);
    }

    private static ObjectNode replace(String from, String to) {
        ObjectNode replace = JSON.objectNode().put("type", "Replace");
        replace.putObject("pattern").put("String", from);
        return replace.put("content", to);
    }
}
