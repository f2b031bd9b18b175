package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.device.DType;
import dev.belay.model.MemoryPlan;
import dev.belay.model.ModelConfig;
import dev.belay.model.Rope;
import dev.belay.weights.ModelFingerprint;
import dev.belay.weights.SafetensorsModel;
import dev.belay.weights.TensorSource;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code belay info}: the shape of a model and the memory it needs, without loading it. */
@Command(
        name = "info",
        mixinStandardHelpOptions = true,
        description = "Shows a model's family, sizes and parameters, and the memory that it and a batch need.",
        footer = {"", "Example: belay info models/tiny-cliff"})
final class InfoCommand implements Callable<Integer> {
    private static final int CONTEXT = 1024;

    @Mixin
    private ModelOptions options;

    @Mixin
    private Output out;

    /**
     * Does what {@code belay info MODEL} asks for without picocli, which takes longer to look at the options than the command takes.
     *
     * @return false if {@code args} are something else, or wrong: nothing is printed then
     */
    static boolean shows(String[] args, PrintWriter words) {
        if (args.length != 2 || !args[0].equals("info") || args[1].startsWith("-") || args[1].startsWith("@")) {
            return false;
        }
        InfoCommand info = new InfoCommand();
        info.options = new ModelOptions();
        info.out = new Output(words);
        try {
            info.options.folder = Path.of(args[1]);
            info.call();
            return true;
        } catch (RuntimeException | Error e) {
            return false;
        }
    }

    @Override
    public Integer call() {
        if (options.profile != null) {
            throw new UsageException("--profile is for commands that compute; info does not");
        }
        // Meanwhile: it takes as long as all the rest.
        CompletableFuture<String> hash = CompletableFuture.supplyAsync(() -> ModelFingerprint.of(options.folder));
        ModelConfig config = ModelConfig.read(options.folder);
        try (SafetensorsModel tensors = SafetensorsModel.open(options.folder)) {
            TensorSource text = config.description().tensors(tensors);
            ModelConfig c = config.with(text);
            String stored =
                    text.tensor("model.embed_tokens.weight").type().name().toLowerCase(Locale.ROOT);
            int batch = options.batchTokens == null ? BatchTokens.USUAL : options.batchTokens;
            MemoryPlan narrow = MemoryPlan.of(c, Short.BYTES, batch);
            MemoryPlan wide = MemoryPlan.of(c, Float.BYTES, batch);
            String fingerprint = result(hash);
            words(c, tensors, stored, fingerprint, batch, narrow, wide);
            out.result(json(c, tensors, stored, fingerprint, batch, narrow, wide));
        }
        return 0;
    }

    private static String result(CompletableFuture<String> hash) {
        try {
            return hash.join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }

    private void words(
            ModelConfig c,
            SafetensorsModel tensors,
            String stored,
            String fingerprint,
            int batch,
            MemoryPlan narrow,
            MemoryPlan wide) {
        out.say("%s: %s (%s)", options.folder, c.architecture(), c.family());
        out.say("  layers          %d", c.layers());
        out.say("  heads           %d of size %d, %d key/value heads", c.heads(), c.headSize(), c.kvHeads());
        out.say("  hidden          %d, feed-forward %d", c.hidden(), c.feedForward());
        out.say("  vocabulary      %d, embeddings %s", c.vocabulary(), c.tiedEmbeddings() ? "tied" : "untied");
        Rope rope = c.rope();
        out.say(
                "  positions       %d, %s",
                c.positions(),
                rope == null
                        ? "not encoded"
                        : String.format(
                                Locale.ROOT,
                                "rope base %.0f, scaling %s",
                                rope.theta(),
                                rope.scaling().name()));
        out.say("  parameters      %,d", c.parameters());
        out.say("  files           %d, %s, stored as %s", tensors.files().size(), size(tensors.bytes()), stored);
        out.say("  fingerprint     %s", fingerprint);
        out.say("Memory it needs:");
        out.say("  weights         %s as bf16, %s as f32", size(narrow.weights()), size(wide.weights()));
        out.say("  one batch       %s for %d tokens (--batch-tokens)", size(wide.batch()), batch);
        out.say("  each text kept  %s for %d tokens", size(wide.cachePerToken() * CONTEXT), CONTEXT);
        if (options.dtype() == DType.BF16) {
            out.say("A processor without bfloat16 products keeps weights as f32 also with --dtype bf16.");
        }
    }

    private ObjectNode json(
            ModelConfig c,
            SafetensorsModel tensors,
            String stored,
            String fingerprint,
            int batch,
            MemoryPlan narrow,
            MemoryPlan wide) {
        ObjectNode json = Output.object();
        json.put("model", options.folder.toString())
                .put("architecture", c.architecture())
                .put("family", c.family());
        json.put("layers", c.layers()).put("heads", c.heads()).put("kv_heads", c.kvHeads());
        json.put("head_size", c.headSize()).put("hidden", c.hidden()).put("feed_forward", c.feedForward());
        json.put("vocabulary", c.vocabulary()).put("tied_embeddings", c.tiedEmbeddings());
        json.put("positions", c.positions()).put("dtype", stored).put("parameters", c.parameters());
        json.put("file_bytes", tensors.bytes()).put("fingerprint", fingerprint);
        json.put("weight_bytes_bf16", narrow.weights()).put("weight_bytes_f32", wide.weights());
        json.put("batch_tokens", batch).put("batch_bytes", wide.batch());
        json.put("cache_bytes_per_token", wide.cachePerToken());
        return json;
    }

    /** A number of bytes, for example 1.50 GiB. */
    static String size(long bytes) {
        return bytes < 1 << 30
                ? String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20))
                : String.format(Locale.ROOT, "%.2f GiB", bytes / (double) (1 << 30));
    }
}
