package dev.belay.model;

import dev.belay.BelayException;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.HeadTerms;
import dev.belay.device.HostMatrix;
import dev.belay.device.Mixture;
import dev.belay.io.Resources;
import dev.belay.weights.TensorInfo;
import dev.belay.weights.TensorSource;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * A model's weights on a device. Matrices are [output features, input features]. Letters as in {@link Device}.
 */
public final class ModelWeights implements AutoCloseable {
    /**
     * The weights of one layer.
     *
     * @param attentionNorm [D]
     * @param qkv queries, keys and values, [H·HD + 2·KV·HD, D]
     * @param query its queries, [H·HD, D]
     * @param keyValue its keys and values, [2·KV·HD, D]
     * @param heads what is done to queries, keys and values before they are rotated
     * @param output W_O, [D, H·HD]
     * @param outputBias added after W_O, [D], or null
     * @param feedForwardNorm [D]
     * @param gateUp gate, then up, [2·F, D]; null where there are experts
     * @param gateUpBias [2·F], or null
     * @param down [D, F]; null where there are experts
     * @param downBias [D], or null
     * @param mixture the experts, or null where there are none
     */
    public record Layer(
            DeviceBuffer attentionNorm,
            DeviceMatrix qkv,
            DeviceMatrix query,
            DeviceMatrix keyValue,
            HeadTerms heads,
            DeviceMatrix output,
            DeviceBuffer outputBias,
            DeviceBuffer feedForwardNorm,
            DeviceMatrix gateUp,
            DeviceBuffer gateUpBias,
            DeviceMatrix down,
            DeviceBuffer downBias,
            Mixture mixture) {}

    private static final String EMBEDDING = "model.embed_tokens.weight";
    private static final String HEAD = "lm_head.weight";
    /** Ends the names of tensors that follow from the configuration; old versions of transformers wrote them. */
    private static final String FREQUENCIES = ".rotary_emb.inv_freq";

    private final Resources owned = new Resources();
    private final TensorSource tensors;
    private final Device device;
    private final DeviceMatrix embedding;
    private final List<Layer> layers = new ArrayList<>();
    private final Set<String> used = new HashSet<>();
    private final DeviceBuffer finalNorm;
    private final DeviceMatrix head;

    private ModelWeights(TensorSource tensors, ModelConfig config, Device device, IntConsumer progress) {
        this.tensors = tensors;
        this.device = device;
        try {
            embedding = matrix(config.vocabulary(), config.hidden(), EMBEDDING);
            for (int l = 0; l < config.layers(); l++) {
                layers.add(layer(config, l));
                progress.accept(l + 1);
            }
            finalNorm = vector("model.norm.weight", config.hidden());
            used.add(HEAD);
            head = config.tiedEmbeddings() ? embedding : ownHead(config);
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /**
     * Copies the weights of {@code config} from {@code tensors} to {@code device}.
     *
     * @param progress called with the number of layers done
     * @throws BelayException if a tensor is missing or has another shape or type than the configuration says
     */
    public static ModelWeights load(TensorSource tensors, ModelConfig config, Device device, IntConsumer progress) {
        return new ModelWeights(tensors, config, device, progress);
    }

    /** Whether the files have an output matrix that is not the embedding table. */
    static boolean hasOwnHead(TensorSource tensors) {
        return tensors.has(HEAD) && tensors.segment(HEAD).mismatch(tensors.segment(EMBEDDING)) >= 0;
    }

    private DeviceMatrix ownHead(ModelConfig config) {
        if (!tensors.has(HEAD)) {
            throw new BelayException(tensors.path() + ": has no tensor \"" + HEAD
                    + "\", and 'tie_word_embeddings' is false: it is a base model, which answers nothing, or incomplete;"
                    + " take the release for causal language modelling");
        }
        return matrix(config.vocabulary(), config.hidden(), HEAD);
    }

    private Layer layer(ModelConfig c, int l) {
        String name = "model.layers." + l + ".";
        int queries = c.heads() * c.headSize();
        int keys = c.kvHeads() * c.headSize();
        String attention = name + "self_attn.";
        String mlp = name + "mlp.";
        boolean fused = c.description().projections() == Family.Projections.FUSED;
        DeviceMatrix qkv = stack(
                attention + "qkv_proj.weight",
                fused
                        ? List.of(hostMatrix(attention + "qkv_proj.weight", queries + 2 * keys, c.hidden()))
                        : List.of(
                                hostMatrix(attention + "q_proj.weight", queries, c.hidden()),
                                hostMatrix(attention + "k_proj.weight", keys, c.hidden()),
                                hostMatrix(attention + "v_proj.weight", keys, c.hidden())));
        boolean biased = c.feedForwardBias();
        boolean mixed = c.kinds().get(l).experts();
        return new Layer(
                vector(name + "input_layernorm.weight", c.hidden()),
                qkv,
                qkv.view(0, queries, 0, c.hidden()),
                qkv.view(queries, 2 * keys, 0, c.hidden()),
                heads(c, attention, queries, keys),
                matrix(c.hidden(), queries, attention + "o_proj.weight"),
                c.outputBias() ? vector(attention + "o_proj.bias", c.hidden()) : null,
                vector(name + "post_attention_layernorm.weight", c.hidden()),
                mixed ? null : gateUp(c, fused, mlp),
                biased ? vectors(c.feedForward(), mlp + "gate_proj.bias", mlp + "up_proj.bias") : null,
                mixed ? null : matrix(c.hidden(), c.feedForward(), mlp + "down_proj.weight"),
                biased ? vector(mlp + "down_proj.bias", c.hidden()) : null,
                mixed ? mixture(c, mlp) : null);
    }

    private Mixture mixture(ModelConfig c, String mlp) {
        Experts experts = c.experts();
        int f = experts.feedForward();
        String together = mlp + "experts.gate_up_proj";
        List<HostMatrix> gateUp = new ArrayList<>();
        List<HostMatrix> down = new ArrayList<>();
        if (tensors.has(together)) {
            int count = experts.count();
            gateUp = parts(together, 2 * count, f, c.hidden(), count, 2L * f, c.hidden());
            down = parts(mlp + "experts.down_proj", count, c.hidden(), f, count, c.hidden(), f);
        } else {
            for (int e = 0; e < experts.count(); e++) {
                String expert = mlp + "experts." + e + ".";
                gateUp.add(hostMatrix(expert + "gate_proj.weight", f, c.hidden()));
                gateUp.add(hostMatrix(expert + "up_proj.weight", f, c.hidden()));
                down.add(hostMatrix(expert + "down_proj.weight", c.hidden(), f));
            }
        }
        return new Mixture(
                matrix(experts.count(), c.hidden(), mlp + "gate.weight"),
                stack(mlp + "experts.gate_up_proj.weight", gateUp),
                stack(mlp + "experts.down_proj.weight", down),
                experts.top(),
                experts.normalized());
    }

    private HeadTerms heads(ModelConfig c, String attention, int queries, int keys) {
        DeviceBuffer bias = null;
        if (c.queryKeyValueBias()) {
            bias = owned.own(device.allocate(attention + "qkv_proj.bias", queries + 2L * keys));
            fill(bias, 0, attention + "q_proj.bias", queries);
            fill(bias, queries, attention + "k_proj.bias", keys);
            fill(bias, queries + keys, attention + "v_proj.bias", keys);
        }
        boolean norms = c.description().headNorms();
        return new HeadTerms(
                bias,
                norms ? vector(attention + "q_norm.weight", c.headSize()) : null,
                norms ? vector(attention + "k_norm.weight", c.headSize()) : null,
                c.normEps());
    }

    /** Gate and up; where the file has them side by side, as two parts all the same: a device may cut them alike. */
    private DeviceMatrix gateUp(ModelConfig c, boolean fused, String mlp) {
        int f = c.feedForward();
        if (!fused) {
            return matrix(f, c.hidden(), mlp + "gate_proj.weight", mlp + "up_proj.weight");
        }
        String name = mlp + "gate_up_proj.weight";
        return stack(name, parts(name, 2, f, c.hidden(), 2L * f, c.hidden()));
    }

    /** Matrices of {@code rows} rows that lie one behind the other in a tensor of that shape. */
    private List<HostMatrix> parts(String name, int count, int rows, int columns, long... shape) {
        TensorInfo info = require(name, shape);
        MemorySegment all = tensors.segment(name);
        long size = all.byteSize() / count;
        return IntStream.range(0, count)
                .mapToObj(i -> new HostMatrix(name, info.type(), all.asSlice(i * size, size), rows, columns))
                .toList();
    }

    private DeviceMatrix matrix(int rows, int columns, String... names) {
        List<HostMatrix> parts = new ArrayList<>();
        for (String name : names) {
            parts.add(hostMatrix(name, rows, columns));
        }
        return stack(names[0], parts);
    }

    private DeviceMatrix stack(String name, List<HostMatrix> parts) {
        return owned.own(device.matrix(name, parts));
    }

    private TensorInfo require(String name, long... shape) {
        used.add(name);
        TensorInfo info = tensors.require(name, shape);
        if (!HostMatrix.TYPES.contains(info.type())) {
            throw new BelayException(tensors.path() + ": tensor \"" + name + "\" has type " + info.type()
                    + ", which Belay does not compute with; convert the model to F32, F16 or BF16");
        }
        return info;
    }

    private HostMatrix hostMatrix(String name, int rows, int columns) {
        TensorInfo info = require(name, rows, columns);
        return new HostMatrix(name, info.type(), tensors.segment(name), rows, columns);
    }

    private DeviceBuffer vector(String name, int length) {
        return vectors(length, name);
    }

    /** Vectors of {@code length} numbers each, one behind the other. */
    private DeviceBuffer vectors(int length, String... names) {
        DeviceBuffer buffer = owned.own(device.allocate(names[0], (long) names.length * length));
        for (int i = 0; i < names.length; i++) {
            fill(buffer, (long) i * length, names[i], length);
        }
        return buffer;
    }

    private void fill(DeviceBuffer buffer, long offset, String name, int length) {
        require(name, length);
        buffer.write(offset, tensors.floats(name), 0, length);
    }

    /** W_O of a layer as float32 on the host, row-major [D, H·HD], exactly as the file has it. */
    public static float[] outputProjection(TensorSource tensors, ModelConfig config, int layer) {
        checkOutputProjection(tensors, config, layer);
        return tensors.floats(outputProjectionName(layer));
    }

    /** The name of W_O of a layer in the model's files. */
    public static String outputProjectionName(int layer) {
        return "model.layers." + layer + ".self_attn.o_proj.weight";
    }

    /**
     * Checks that a model has W_O of a layer, of shape [D, H·HD].
     *
     * @throws dev.belay.BelayException if it does not
     */
    public static void checkOutputProjection(TensorSource tensors, ModelConfig config, int layer) {
        tensors.require(outputProjectionName(layer), config.hidden(), (long) config.heads() * config.headSize());
    }

    /** Tensors of the files that the model does not compute with, in the order of the files. */
    public List<String> unused() {
        return tensors.names().stream()
                .filter(name -> !used.contains(name) && !name.endsWith(FREQUENCIES))
                .toList();
    }

    /** Embedding table [V, D]. */
    public DeviceMatrix embedding() {
        return embedding;
    }

    /** Weights of layer {@code l}, 0..L-1. */
    public Layer layer(int l) {
        return layers.get(l);
    }

    /** Final norm [D]. */
    public DeviceBuffer finalNorm() {
        return finalNorm;
    }

    /** Output matrix [V, D]. */
    public DeviceMatrix head() {
        return head;
    }

    @Override
    public void close() {
        owned.close();
    }
}
