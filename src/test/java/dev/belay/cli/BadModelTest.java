package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.probe.LinearProbe;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Models that are missing, damaged or not supported: one clear line, exit code 1, and no output file. */
class BadModelTest {
    private static final String QUERY = "model.layers.0.self_attn.q_proj.weight";
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path folder;

    private Path out;
    private Path ids;
    private Path model;

    @BeforeEach
    void names() {
        out = folder.resolve("out");
        ids = Cli.write(folder.resolve("ids.json"), "[[1, 2, 3], [4, 5]]");
        model = Cli.copy(Cli.LLAMA, folder.resolve("model"));
    }

    @AfterEach
    void nothingIsWritten() {
        for (String name : Cli.names(folder)) {
            assertTrue(!name.startsWith("out"), name);
        }
    }

    @Test
    void noSuchFolder() {
        Path none = folder.resolve("none");
        capture(none).failed(1, none + ": no such model folder", "config.json");
        Cli.run("info ?", none).failed(1, none + ": no such model folder");
    }

    @Test
    void aGgufFileIsConvertedFirst() {
        Path gguf = Cli.write(folder.resolve("model.gguf"), "GGUF");
        Cli.run("info ?", gguf).failed(1, gguf + " is a GGUF file, not a model folder", "belay convert " + gguf);
    }

    /** Mistral's own releases have the tokenizer in a form of their own, which is read, and may be damaged as well. */
    @Test
    void aDamagedTekkenFile() {
        Cli.write(model.resolve("tekken.json"), "{}");
        Cli.run("generate ? --data ? -o ?", model, Cli.data("attacks.jsonl"), out)
                .failed(1, model.resolve("tekken.json") + " is not a tokenizer that can be used", "no pattern");
    }

    @Test
    void noConfiguration() {
        Cli.delete(model.resolve("config.json"));
        capture(model).failed(1, model.resolve("config.json").toString(), "no such file");
    }

    @Test
    void brokenConfiguration() {
        Cli.write(model.resolve("config.json"), "{\n\"architectures\": [");
        capture(model).failed(1, model.resolve("config.json") + ":2: not valid JSON: Unexpected end-of-input");
    }

    @Test
    void unknownArchitecture() {
        Path config = model.resolve("config.json");
        Cli.write(config, Cli.text(config).replace("LlamaForCausalLM", "ParrotForCausalLM"));
        capture(model).failed(1, config.toString(), "ParrotForCausalLM", "LlamaForCausalLM");
    }

    @Test
    void noWeights() {
        Cli.delete(model.resolve("model.safetensors"));
        capture(model).failed(1, model.toString(), "neither model.safetensors nor model.safetensors.index.json");
    }

    @Test
    void missingShard() {
        Cli.delete(model.resolve("model.safetensors"));
        Cli.write(
                model.resolve("model.safetensors.index.json"),
                "{\"weight_map\": {\"model.norm.weight\": \"model-00001-of-00002.safetensors\"}}");
        capture(model).failed(1, "model-00001-of-00002.safetensors", "missing");
    }

    @Test
    void truncatedWeights() {
        Path weights = model.resolve("model.safetensors");
        byte[] all = Cli.bytes(weights);
        Cli.bytes(weights, Arrays.copyOf(all, all.length - 4));
        capture(model).failed(1, weights.toString(), "truncated", "fetch it again");
        Cli.bytes(weights, Arrays.copyOf(all, 5));
        capture(model).failed(1, weights.toString());
        Cli.bytes(weights, new byte[0]);
        capture(model).failed(1, weights.toString());
    }

    @Test
    void headersThatLie() {
        header(h -> ((ArrayNode) h.get(QUERY).get("data_offsets")).set(1, 1_000_000_000_000L));
        capture(model).failed(1, "model.safetensors", QUERY);
        restore();
        header(h -> ((ObjectNode) h.get(QUERY)).putArray("shape").add(64).add(63));
        capture(model).failed(1, QUERY, "by its shape and type");
        restore();
        byte[] huge = Cli.bytes(model.resolve("model.safetensors"));
        ByteBuffer.wrap(huge).order(ByteOrder.LITTLE_ENDIAN).putLong(0, 1L << 62);
        Cli.bytes(model.resolve("model.safetensors"), huge);
        capture(model).failed(1, "model.safetensors", "claims a header of 4611686018427387904 bytes");
    }

    @Test
    void wrongTypeAndShape() {
        header(h -> ((ObjectNode) h.get(QUERY)).put("dtype", "I32"));
        capture(model).failed(1, QUERY, "I32", "F32, F16 or BF16");
        restore();
        header(h -> ((ObjectNode) h.get(QUERY)).putArray("shape").add(32).add(128));
        capture(model).failed(1, QUERY, "[32, 128]", "[64, 64]");
    }

    @Test
    void weightsThatAreNoNumbers() {
        Path tiny = Cli.copy(Cli.TINY, folder.resolve("tiny"));
        Path weights = tiny.resolve("model.safetensors");
        byte[] all = Cli.bytes(weights);
        // The last tensor's last bfloat16 becomes a NaN.
        all[all.length - 2] = (byte) 0xff;
        all[all.length - 1] = 0x7f;
        Arrays.fill(all, all.length - 512, all.length, (byte) 0x7f);
        Cli.bytes(weights, all);
        Cli.run("trace ? --probe ? --data ? -o ?", tiny, Cli.probe(folder, 256, LinearProbe.LAST), Cli.one(folder), out)
                .failed(1, "a refusal score is not a number", "H[6]");
    }

    @Test
    void noTokenizerAndNoTemplate() {
        Cli.run("generate ? --data ? -o ?", model, Cli.one(folder), out).failed(1, model + " has no tokenizer.json");
        Path tiny = Cli.copy(Cli.TINY, folder.resolve("tiny"));
        Cli.delete(tiny.resolve("tokenizer.json"));
        Cli.run("generate ? --data ? -o ?", tiny, Cli.one(folder), out).failed(1, tiny + " has no tokenizer.json");
        Cli.write(tiny.resolve("tokenizer.json"), "{}");
        Cli.run("generate ? --data ? -o ?", tiny, Cli.one(folder), out).failed(1, "tokenizer.json is not a tokenizer");
        Path other = Cli.copy(Cli.TINY, folder.resolve("other"));
        Cli.delete(other.resolve("tokenizer_config.json"));
        Cli.run("generate ? --data ? -o ?", other, Cli.one(folder), out).failed(1, other + " has no chat template");
    }

    @ParameterizedTest
    @CsvSource({"cuda:99", "cuda:GPU-0000"})
    void aDeviceThatIsNotThere(String device) {
        Cli.run("capture ? --ids ? --device ? -o ?", model, ids, device, out)
                .failed(1, "device " + device + " is not available", "use --device cpu");
    }

    @Test
    void aBatchBeyondTheMemory() {
        Cli.run("capture ? --ids ? --batch-tokens ? -o ?", model, ids, Integer.MAX_VALUE, out)
                .failed(1, "--batch-tokens 2147483647 needs ", " are free: use --batch-tokens ");
    }

    private Cli.Result capture(Path of) {
        return Cli.run("capture ? --ids ? -o ?", of, ids, out);
    }

    private void restore() {
        Cli.bytes(model.resolve("model.safetensors"), Cli.bytes(Cli.LLAMA.resolve("model.safetensors")));
    }

    /** Changes the header of the weights and leaves their data as they are. */
    private void header(Consumer<ObjectNode> change) {
        Path weights = model.resolve("model.safetensors");
        byte[] all = Cli.bytes(weights);
        int length = (int) ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).getLong();
        try {
            ObjectNode header = (ObjectNode) JSON.readTree(Arrays.copyOfRange(all, 8, 8 + length));
            change.accept(header);
            byte[] text = JSON.writeValueAsBytes(header);
            ByteBuffer changed = ByteBuffer.allocate(8 + text.length + all.length - 8 - length)
                    .order(ByteOrder.LITTLE_ENDIAN);
            changed.putLong(text.length).put(text).put(all, 8 + length, all.length - 8 - length);
            Cli.bytes(weights, changed.array());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
