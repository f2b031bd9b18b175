package dev.belay.text;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The tokenizer of a model folder (tokenizer.json or tekken.json), run by Hugging Face's own native library, without network and without a
 * GPU. Safe for use by several threads until it is closed.
 */
public final class Tokenizer implements AutoCloseable {
    private static final Map<String, String> OPTIONS =
            Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false");

    /** Stands before text that is inside another one: private characters, which hardly any text has. */
    private static final String SENTINEL = "\uDBFF\uDFFD\uDBFF\uDFFD";

    /** Bytes, and so tokens, of a character of UTF-8. */
    private static final int LONGEST_CHARACTER = 4;

    private final HuggingFaceTokenizer tokenizer;
    private final TokenizerFile file;
    private final int vocabSize;
    private AddedTokens added;
    private HuggingFaceTokenizer literal;

    private Tokenizer(HuggingFaceTokenizer tokenizer, TokenizerFile file, int vocabSize) {
        this.tokenizer = tokenizer;
        this.file = file;
        this.vocabSize = vocabSize;
    }

    /** Whether a model folder has a tokenizer. */
    public static boolean isIn(Path modelDir) {
        return TokenizerFile.isIn(modelDir);
    }

    /**
     * Reads the tokenizer of a model folder.
     *
     * @throws BelayException if the file is missing or broken, or the native library cannot be loaded
     */
    public static Tokenizer load(Path modelDir) {
        TokenizerFile file = TokenizerFile.find(modelDir);
        TokenizerCheck check = TokenizerCheck.of(file);
        if (check.trimsSpans()) {
            file = new TokenizerFile(file.path(), RewrittenFile.withWholeSpans(file));
        }
        TokenizerLibrary.load();
        TokenizerFile read = file;
        Opening opening = read.converted() == null
                ? () -> HuggingFaceTokenizer.newInstance(read.path(), OPTIONS)
                : () -> HuggingFaceTokenizer.newInstance(read.open(), OPTIONS);
        return new Tokenizer(open(read.path(), opening), read, check.vocabSize());
    }

    private interface Opening {
        HuggingFaceTokenizer open() throws IOException;
    }

    private static HuggingFaceTokenizer open(Path file, Opening opening) {
        try {
            return opening.open();
        } catch (IOException e) {
            throw new BelayException("cannot read " + file + ": " + OutputFile.reason(e), e);
        } catch (RuntimeException e) {
            String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("unknown reason");
            throw new BelayException(
                    file + " is not a tokenizer this version can read (" + reason + "); copy the file again", e);
        }
    }

    /**
     * Turns text into token ids. No special token is added, nothing is cut off or filled up; the names of special tokens
     * inside the text become those tokens.
     */
    public int[] encode(String text) {
        return encodeWithSpans(text).ids();
    }

    /** Like {@link #encode}, with the special tokens that tokenizer.json puts around a text, such as one that begins it. */
    public int[] encodeWithSpecials(String text) {
        return Arrays.stream(tokenizer.encode(wellFormed(text), true, false).getIds())
                .mapToInt(Math::toIntExact)
                .toArray();
    }

    /** Like {@link #encode}, and says which chars of the text each token stands for. */
    public TokenizedText encodeWithSpans(String text) {
        return encode(tokenizer, text);
    }

    /** The library fails for a text that has no tokens, for example without one for unknown words. */
    private BelayException failure(String what, RuntimeException e) {
        String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("unknown reason");
        return new BelayException(file.path() + " cannot " + what + " (" + reason + ")", e);
    }

    private TokenizedText encode(HuggingFaceTokenizer tokenizer, String text) {
        if (text.isEmpty()) {
            return TokenizedText.EMPTY;
        }
        Encoding encoding;
        try {
            encoding = tokenizer.encode(wellFormed(text), false, false);
        } catch (RuntimeException e) {
            throw failure("turn a text into tokens", e);
        }
        long[] ids = encoding.getIds();
        CharSpan[] spans = encoding.getCharTokenSpans();
        int[] charOf = charOfCodePoint(text);
        TokenizedText result = new TokenizedText(new int[ids.length], new int[ids.length], new int[ids.length]);
        for (int i = 0; i < ids.length; i++) {
            result.ids()[i] = (int) ids[i];
            // A token without a span (none are known, as nothing is added) would stand at the end of the one before.
            int previous = i == 0 ? 0 : result.end()[i - 1];
            result.start()[i] = spans[i] == null ? previous : charOf[spans[i].getStart()];
            result.end()[i] = spans[i] == null ? previous : charOf[spans[i].getEnd()];
        }
        return result;
    }

    /**
     * Turns text into tokens of which none is there by its name, be it that of a control token, of the unknown token or of a byte: names
     * count as ordinary characters. A control token whose name is a single character of the model's own vocabulary stays, as there is no
     * other way to write it.
     *
     * @param inside whether other text stands before it
     */
    TokenizedText encodeLiterally(String text, boolean inside) {
        List<Integer> cuts = new ArrayList<>();
        int half = SENTINEL.length() / 2;
        for (int at = text.indexOf(SENTINEL); at >= 0; at = text.indexOf(SENTINEL, at + half)) {
            cuts.add(at + half);
        }
        if (!cuts.isEmpty()) {
            return encodeInPieces(text, inside, cuts);
        }
        int lead = inside ? SENTINEL.length() : 0;
        TokenizedText whole = encode(literal(), inside ? SENTINEL + text : text);
        int first = inside ? whole.firstEndingAfter(lead) : 0;
        int count = whole.length() - first;
        TokenizedText tokens = new TokenizedText(new int[count], new int[count], new int[count]);
        for (int i = 0; i < count; i++) {
            tokens.ids()[i] = whole.ids()[first + i];
            tokens.start()[i] = whole.start()[first + i] - lead;
            tokens.end()[i] = whole.end()[first + i] - lead;
            int start = tokens.start()[i];
            if (added().isNamedByte(tokens.ids()[i], text.codePointCount(start, tokens.end()[i]))) {
                // The name of a byte, which the library needs in the vocabulary: cut it behind its first character.
                cuts.add(text.offsetByCodePoints(start, 1));
            }
        }
        return cuts.isEmpty() ? tokens : encodeInPieces(text, inside, cuts);
    }

    private TokenizedText encodeInPieces(String text, boolean inside, List<Integer> cuts) {
        TokenizedText.Builder tokens = new TokenizedText.Builder();
        int from = 0;
        cuts.add(text.length());
        for (int to : cuts) {
            tokens.add(encodeLiterally(text.substring(from, to), inside || from > 0), from);
            from = to;
        }
        return tokens.build();
    }

    private synchronized HuggingFaceTokenizer literal() {
        if (literal == null) {
            byte[] json = RewrittenFile.literal(file, added().hidden(), SENTINEL);
            literal =
                    open(file.path(), () -> HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), OPTIONS));
        }
        return literal;
    }

    private synchronized AddedTokens added() {
        if (added == null) {
            added = new AddedTokens(file);
        }
        return added;
    }

    /** Whether a token that stands for {@code text} is an added one, which the tokenizer finds in a text before anything else. */
    boolean isAdded(int id, String text) {
        return added().isAdded(id, text);
    }

    /** Whether a token that stands for {@code length} code points is there by a name that no text means. */
    boolean isNamed(int id, int length) {
        return added().isNamed(id, length);
    }

    /** Whether there is an added token of this name that is special or looks like markup. */
    boolean hasControl(String name) {
        return added().hasControl(name);
    }

    /** Finds the names that no text means: of added tokens that are special or look like markup, the unknown token, bytes. */
    Pattern controlNames() {
        return added().names();
    }

    /** Replaces surrogates without a partner, which no UTF-8 text can hold, by U+FFFD; the length stays the same. */
    private static String wellFormed(String text) {
        StringBuilder out = null;
        for (int i = 0; i < text.length(); i++) {
            int c = text.codePointAt(i);
            if (Character.isSupplementaryCodePoint(c)) {
                i++;
            } else if (Character.isSurrogate((char) c)) {
                out = out == null ? new StringBuilder(text) : out;
                out.setCharAt(i, '\uFFFD');
            }
        }
        return out == null ? text : out.toString();
    }

    /** The library counts Unicode code points: the char at which each of them begins, and the length of the text. */
    private static int[] charOfCodePoint(String text) {
        int[] charOf = new int[text.codePointCount(0, text.length()) + 1];
        int at = 0;
        for (int i = 0; i < charOf.length; i++) {
            charOf[i] = at;
            at += at < text.length() ? Character.charCount(text.codePointAt(at)) : 0;
        }
        return charOf;
    }

    /**
     * Turns the tokens {@code ids[from, to)} back into text. Bytes that are no whole character become U+FFFD; ids that are
     * not in the vocabulary give nothing.
     *
     * @param skipSpecialTokens leaves out the tokens that tokenizer.json marks as special
     */
    public String decode(int[] ids, int from, int to, boolean skipSpecialTokens) {
        long[] part = new long[to - from];
        for (int i = 0; i < part.length; i++) {
            part[i] = ids[from + i];
        }
        try {
            return part.length == 0 ? "" : tokenizer.decode(part, skipSpecialTokens);
        } catch (RuntimeException e) {
            throw failure("turn tokens into text", e);
        }
    }

    /**
     * The text of tokens without special ones, except those whose names are {@code kept}.
     *
     * @param kept for example thinking markers, which some models have among their special tokens
     */
    public String decodeKeeping(int[] ids, Collection<String> kept) {
        int[] left = Arrays.stream(ids)
                .filter(id -> !added().isSpecial(id) || kept.contains(added().name(id)))
                .toArray();
        return decode(left, 0, left.length, false);
    }

    /**
     * The text of each token, special ones with their name; one after the other they are the text of all. A character whose bytes are
     * spread over several tokens is the text of the last of them, the others have none.
     */
    public List<String> pieces(int[] ids) {
        List<String> pieces = new ArrayList<>();
        // What a token adds depends on those before it: the text of ids[context, i] of which `told` is in earlier
        // pieces.
        int context = 0;
        int open = 0;
        String told = "";
        for (int i = 0; i < ids.length; i++) {
            String text = decode(ids, context, i + 1, false);
            boolean late = i + 1 - open >= LONGEST_CHARACTER;
            boolean last = i + 1 == ids.length;
            if ((late || last) && !text.startsWith(told)) {
                // Bytes that are no character, which the library lets spoil the characters before them.
                context = open;
                told = "";
                text = decode(ids, context, i + 1, false);
            }
            int whole = last ? text.length() : settled(text, late);
            boolean follows = text.startsWith(told) && whole >= told.length();
            pieces.add(follows ? text.substring(told.length(), whole) : "");
            if (follows && whole == text.length()) {
                context = open;
                open = i + 1;
                told = decode(ids, context, open, false);
            } else if (follows) {
                told = text.substring(0, whole);
            }
        }
        return pieces;
    }

    /** Chars of a text behind which no character is open; all but the last one if those before it lasted too long to become one. */
    private static int settled(String text, boolean late) {
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == '\uFFFD') {
            end--;
        }
        return late ? Math.max(end, text.length() - 1) : end;
    }

    /** The file that it was read from. */
    public Path path() {
        return file.path();
    }

    /** One more than the largest id, added tokens included. The embedding matrix of the model may have more rows. */
    public int vocabSize() {
        return vocabSize;
    }

    @Override
    public void close() {
        tokenizer.close();
        if (literal != null) {
            literal.close();
        }
    }
}
