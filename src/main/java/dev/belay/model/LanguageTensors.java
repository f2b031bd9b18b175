package dev.belay.model;

import dev.belay.weights.TensorInfo;
import dev.belay.weights.TensorSource;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;

/**
 * The language model's tensors of a model that also sees images, under the names that they have in a model of text alone. Those of the
 * images are left out. {@link TensorInfo#name} is the name in the file.
 */
final class LanguageTensors implements TensorSource {
    /** What transformers 4 and 5 write before {@code layers}, with what that is in a model of text alone. */
    private static final String[][] PREFIXES = {
        {"language_model.model.", "model."},
        {Family.LANGUAGE_MODEL, "model."},
        {"language_model.lm_head.", "lm_head."}
    };

    private static final String IMAGES = "(model\\.)?(vision_tower|multi_modal_projector)\\..*";

    private final TensorSource files;
    private final SequencedMap<String, String> stored = new LinkedHashMap<>();

    /** @param files what it stands for; closed with it */
    LanguageTensors(TensorSource files) {
        this.files = files;
        for (String name : files.names()) {
            if (!name.matches(IMAGES)) {
                stored.put(plain(name), name);
            }
        }
    }

    private static String plain(String name) {
        for (String[] prefix : PREFIXES) {
            if (name.startsWith(prefix[0])) {
                return prefix[1] + name.substring(prefix[0].length());
            }
        }
        return name;
    }

    @Override
    public Path path() {
        return files.path();
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(stored.sequencedKeySet());
    }

    @Override
    public Optional<TensorInfo> find(String name) {
        return Optional.ofNullable(stored.get(name)).flatMap(files::find);
    }

    @Override
    public MemorySegment segment(String name) {
        tensor(name);
        return files.segment(stored.get(name));
    }

    @Override
    public float[] floats(String name) {
        tensor(name);
        return files.floats(stored.get(name));
    }

    @Override
    public void close() {
        files.close();
    }
}
