package dev.belay.model;

import dev.belay.weights.TensorInfo;
import dev.belay.weights.TensorSource;
import dev.belay.weights.TensorView;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;

/**
 * A language model's tensors under the names that a causal language model of text alone has: files of the base model leave out
 * {@code model.}, those of a model that also sees images have more before it. What is for images is left out. {@link TensorInfo#name} is the
 * name in the file.
 */
final class LanguageTensors extends TensorView {
    /** How names begin in files of transformers 4 and 5 of a model that also sees images, and how they do in one of text alone. */
    private static final String[][] NESTED = {
        {"language_model.model.", "model."},
        {Family.LANGUAGE_MODEL, "model."},
        {"language_model.lm_head.", "lm_head."},
        {"language_model.", "model."}
    };

    /** The same for a base model. */
    private static final String[][] BASE = {
        {"layers.", "model.layers."},
        {"embed_tokens.", "model.embed_tokens."},
        {"norm.", "model.norm."}
    };

    private static final String IMAGES = "(model\\.)?(vision_tower|multi_modal_projector)\\..*";

    private final SequencedMap<String, String> stored = new LinkedHashMap<>();

    /**
     * @param files what it stands for; closed with it
     * @param nested whether it is the language model of one that also sees images
     */
    LanguageTensors(TensorSource files, boolean nested) {
        super(files);
        for (String name : files.names()) {
            if (!nested) {
                stored.put(plain(name, BASE), name);
            } else if (!name.matches(IMAGES)) {
                stored.put(plain(name, NESTED), name);
            }
        }
    }

    private static String plain(String name, String[][] prefixes) {
        for (String[] prefix : prefixes) {
            if (name.startsWith(prefix[0])) {
                return prefix[1] + name.substring(prefix[0].length());
            }
        }
        return name;
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(stored.sequencedKeySet());
    }

    @Override
    public Optional<TensorInfo> find(String name) {
        return Optional.ofNullable(stored.get(name)).flatMap(tensors::find);
    }

    @Override
    public MemorySegment segment(String name) {
        tensor(name);
        return tensors.segment(stored.get(name));
    }

    @Override
    public float[] floats(String name) {
        tensor(name);
        return tensors.floats(stored.get(name));
    }
}
