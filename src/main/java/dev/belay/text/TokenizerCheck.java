package dev.belay.text;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * Reads a tokenizer.json before the native library does, and refuses what that would answer by ending the process, or by taking any
 * time or memory: malformed JSON, ids and lists without measure, texts that grow, expressions that backtrack, parts of other kinds
 * than the library has. Large parts, vocabulary and merges, are not kept.
 */
final class TokenizerCheck {
    static final long LARGEST_FILE = 1L << 28;
    static final int MOST_TOKENS = 1 << 22;
    static final int MOST_ADDED = 1 << 16;

    private static final int DEEPEST = 64;
    private static final int LONGEST_TEXT = 1 << 20;
    private static final int LARGEST_ID = 1 << 24;
    private static final int MOST_STEPS = 64;
    /** Most that the normalizers may make of one character. */
    private static final long MOST_GROWTH = 256;

    private static final int LONGEST_WORD = 10_000;

    private static final Set<String> MODELS = Set.of("BPE", "Unigram", "WordPiece", "WordLevel");
    private static final Set<String> KINDS = Set.of(
            "Sequence",
            "NFC",
            "NFD",
            "NFKC",
            "NFKD",
            "Nmt",
            "Lowercase",
            "Strip",
            "StripAccents",
            "BertNormalizer",
            "Prepend",
            "Replace",
            "ByteLevel",
            "Metaspace",
            "Split",
            "Whitespace",
            "WhitespaceSplit",
            "Digits",
            "Punctuation",
            "UnicodeScripts",
            "CharDelimiterSplit",
            "BertPreTokenizer",
            "TemplateProcessing",
            "BertProcessing",
            "RobertaProcessing",
            "BPEDecoder",
            "ByteFallback",
            "Fuse",
            "WordPiece",
            "CTC");

    /** The setting of a post-processor that has it trim spans. */
    static final String TRIM = "trim_offsets";

    /** Post-processors that do so unless they are told not to. */
    private static final Set<String> TRIMMING = Set.of("ByteLevel", "RobertaProcessing");

    private final TokenizerFile file;
    private int largestId = -1;
    private int steps;
    private long growth = 1;
    private boolean trimsSpans;
    private String prefix = "";
    /** What the second parts of all merges begin with, or null if there are none. */
    private String rightParts;

    private TokenizerCheck(TokenizerFile file) {
        this.file = file;
    }

    /**
     * Checks a file.
     *
     * @return what was found in it
     * @throws BelayException naming the part that is refused
     */
    static TokenizerCheck of(TokenizerFile file) {
        TokenizerCheck check = new TokenizerCheck(file);
        try {
            check.read();
        } catch (IOException e) {
            throw new BelayException("cannot read " + file.path() + ": " + OutputFile.reason(e), e);
        }
        return check;
    }

    /** One more than the largest id. */
    int vocabSize() {
        return largestId + 1;
    }

    /** Whether tokens do not stand for the white space around them, even if they take it up. */
    boolean trimsSpans() {
        return trimsSpans;
    }

    /** Whether a post-processor does that. */
    static boolean trims(JsonNode processor) {
        boolean can = TRIMMING.contains(processor.path("type").asText());
        return can && processor.path(TRIM).asBoolean(true);
    }

    /** Reads JSON that is neither deep nor has long texts. A vocabulary's names are many, and each comes once: none are remembered. */
    static ObjectMapper mapper() {
        JsonFactory factory = JsonFactory.builder()
                .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(DEEPEST)
                        .maxStringLength(LONGEST_TEXT)
                        .build())
                .build();
        return new ObjectMapper(factory);
    }

    private void read() throws IOException {
        if (file.size() > LARGEST_FILE) {
            throw bad("it has more than " + LARGEST_FILE + " bytes");
        }
        try (JsonParser json = mapper().createParser(file.open())) {
            if (json.nextToken() != JsonToken.START_OBJECT) {
                throw bad("it is no JSON object");
            }
            boolean model = false;
            for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
                json.nextToken();
                switch (name) {
                    case "model" -> {
                        model(json);
                        model = true;
                    }
                    case "added_tokens" -> added(json.readValueAsTree());
                    case "normalizer", "pre_tokenizer", "post_processor", "decoder" ->
                        component(name, json.readValueAsTree());
                    default -> plain(name, json.readValueAsTree());
                }
            }
            if (!model) {
                throw bad("it has no model");
            }
            if (json.nextToken() != null) {
                throw bad("something follows the JSON object");
            }
        }
        if (growth > MOST_GROWTH) {
            throw bad("its normalizers make more than " + MOST_GROWTH + " characters of one");
        }
    }

    private void model(JsonParser json) throws IOException {
        if (json.currentToken() != JsonToken.START_OBJECT) {
            throw bad("its model is no JSON object");
        }
        for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
            json.nextToken();
            switch (name) {
                case "vocab" -> vocabulary(json);
                case "merges" -> merges(json);
                default -> setting(name, json.readValueAsTree());
            }
        }
        boolean ascii = prefix.chars().allMatch(c -> c < 0x80);
        if (rightParts != null && (!ascii || !rightParts.startsWith(prefix))) {
            throw bad("the second part of a merge does not begin with its continuing_subword_prefix '" + prefix + "'"
                    + (ascii ? "" : " of ASCII characters"));
        }
    }

    /** The library cuts the prefix off the second part of every merge, whether it has one or not. */
    private void merges(JsonParser json) throws IOException {
        int merges = 0;
        for (JsonToken token = json.currentToken();
                token == JsonToken.START_ARRAY && json.nextToken() != JsonToken.END_ARRAY;
                json.skipChildren()) {
            if (++merges > MOST_TOKENS) {
                throw bad("it has more than " + MOST_TOKENS + " merges");
            }
            if (!"".equals(rightParts)) {
                JsonNode merge = json.readValueAsTree();
                String text = merge.asText();
                String right = merge.isTextual()
                        ? text.substring(text.indexOf(' ') + 1)
                        : merge.path(1).asText();
                rightParts = rightParts == null ? right : common(rightParts, right);
            }
        }
        json.skipChildren();
    }

    private static String common(String a, String b) {
        int length = 0;
        while (length < Math.min(a.length(), b.length()) && a.charAt(length) == b.charAt(length)) {
            length++;
        }
        return a.substring(0, length);
    }

    /** An object from token to id, or a list in the order of the ids. */
    private void vocabulary(JsonParser json) throws IOException {
        int tokens = 0;
        if (json.currentToken() == JsonToken.START_ARRAY) {
            while (json.nextToken() != JsonToken.END_ARRAY) {
                JsonNode piece = json.readValueAsTree();
                if (piece.path(0).asText().isEmpty()
                        || !Double.isFinite(piece.path(1).asDouble(Double.NaN))) {
                    throw bad("its vocabulary has the piece " + piece + ", which is no text with a number");
                }
                id(tokens++);
            }
        } else if (json.currentToken() == JsonToken.START_OBJECT) {
            while (json.nextToken() != JsonToken.END_OBJECT) {
                tokens++;
                boolean whole = json.nextToken() == JsonToken.VALUE_NUMBER_INT
                        && json.getNumberType() == JsonParser.NumberType.INT
                        && json.getIntValue() >= 0;
                if (!whole) {
                    throw badId(json.currentToken().isScalarValue() ? json.getText() : "of several values");
                }
                id(json.getIntValue());
            }
        } else {
            throw bad("its vocabulary is neither an object nor a list");
        }
        if (tokens > MOST_TOKENS) {
            throw bad("its vocabulary has more than " + MOST_TOKENS + " tokens");
        }
    }

    private void id(JsonNode number) {
        if (number == null || !number.canConvertToInt() || number.intValue() < 0) {
            throw badId(String.valueOf(number));
        }
        id(number.intValue());
    }

    private BelayException badId(String id) {
        return bad("a token has the id " + id + "; ids are whole numbers from 0 to " + LARGEST_ID);
    }

    private void id(int id) {
        if (id > LARGEST_ID) {
            throw bad("a token has the id " + id + "; the largest allowed is " + LARGEST_ID);
        }
        largestId = Math.max(largestId, id);
    }

    private void setting(String name, JsonNode value) {
        plain(name, value);
        switch (name) {
            case "type" -> {
                if (!MODELS.contains(value.asText())) {
                    throw bad("its model is of the kind " + value + "; "
                            + MODELS.stream().sorted().toList() + " are known");
                }
            }
            case "dropout" -> {
                if (value.asDouble() != 0) {
                    throw bad("it drops merges at random (dropout " + value + "), so no result could be repeated");
                }
            }
            case "max_input_chars_per_word" -> {
                if (value.asLong() > LONGEST_WORD) {
                    throw bad("max_input_chars_per_word is " + value + ", more than " + LONGEST_WORD);
                }
            }
            case "continuing_subword_prefix", "end_of_word_suffix" -> {
                if (value.asText().length() > MOST_GROWTH) {
                    throw bad(name + " is longer than " + MOST_GROWTH + " characters");
                }
                prefix = name.equals("continuing_subword_prefix") && value.isTextual() ? value.asText() : prefix;
            }
            default -> {}
        }
    }

    private void added(JsonNode tokens) {
        plain("added_tokens", tokens);
        if (tokens.size() > MOST_ADDED) {
            throw bad("it has more than " + MOST_ADDED + " added tokens");
        }
        tokens.forEach(token -> id(token.get("id")));
    }

    /** A normalizer, pre-tokenizer, post-processor or decoder. */
    private void component(String name, JsonNode node) {
        plain(name, node);
        if (node.isNull()) {
            return;
        }
        if (++steps > MOST_STEPS) {
            throw bad("it has more than " + MOST_STEPS + " normalizers, pre-tokenizers, processors and decoders");
        }
        String kind = node.path("type").asText();
        if (!KINDS.contains(kind)) {
            throw bad("its " + name + " is of the kind '" + kind + "', which is not supported");
        }
        trimsSpans |= name.equals("post_processor") && trims(node);
        for (String list : List.of("normalizers", "pretokenizers", "processors", "decoders")) {
            node.path(list).forEach(step -> component(name, step));
        }
        JsonNode regex = node.path("pattern").path("Regex");
        String refusal = regex.isTextual() ? RegexCheck.refusal(regex.textValue()) : null;
        if (refusal != null) {
            throw bad("the expression '" + regex.textValue() + "' in its " + name + " " + refusal);
        }
        if (node.path("single").size() > MOST_STEPS || node.path("pair").size() > MOST_STEPS) {
            throw bad("its " + name + " has more than " + MOST_STEPS + " parts");
        }
        if (kind.equals("Strip") && node.path("stop").asLong() > 0) {
            throw bad("its " + name + " strips the ends of tokens ('stop'), which is not supported");
        }
        if (!name.equals("decoder")) {
            growth = Math.min(growth, MOST_GROWTH + 1) * Math.min(growth(node), MOST_GROWTH + 1);
        }
    }

    /** Most characters that a normalizer makes of one: an expression may match nothing, and so between all characters. */
    private static long growth(JsonNode node) {
        int content = node.path("content").asText().length();
        int replaced = node.path("pattern").path("String").asText().length();
        if (replaced > 0) {
            return Math.max(1, Math.ceilDiv(content, replaced));
        }
        return 1L + content + node.path("prepend").asText().length();
    }

    /** Refuses what the library's reader of JSON refuses, as not all of its parts take that well. */
    private void plain(String name, JsonNode node) {
        if (node.isTextual() && !wellFormed(node.textValue())
                || node.isNumber() && (!Double.isFinite(node.doubleValue()) || node.isBigInteger())) {
            throw bad("its " + name + " holds " + node + ", which is no text or number that can be read");
        }
        node.forEach(child -> plain(name, child));
        node.fieldNames().forEachRemaining(key -> {
            if (!wellFormed(key)) {
                throw bad("its " + name + " has a name that is no text");
            }
        });
    }

    private static boolean wellFormed(String text) {
        return text.codePoints().noneMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
    }

    private BelayException bad(String what) {
        return bad(file.path(), what);
    }

    /** The error that a file is no tokenizer. */
    static BelayException bad(Path file, String what) {
        return new BelayException(file + " is not a tokenizer that can be used: " + what + "; copy the file again");
    }
}
