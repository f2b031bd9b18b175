package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.gguf.ControlVector;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.weights.SafetensorsModel;
import dev.belay.weights.TensorSource;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay export probe}. */
@Command(
        name = "probe",
        mixinStandardHelpOptions = true,
        description = {
            "Writes the direction of a probe as a control vector for llama.cpp, which adds it to the output of layers.",
            "Along it the refusal score rises; llama.cpp's --control-vector-scaled takes a factor, negative for the other way."
        },
        footer = {
            "",
            "Example: belay export probe probe.safetensors --model models/tiny-cliff --layers all -o refusal.gguf"
        })
final class ExportProbeCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "P.safetensors", description = "the probe")
    private Path file;

    @Option(
            names = "--model",
            paramLabel = "MODEL",
            converter = Converters.ModelFolder.class,
            description =
                    "the model it was fitted on: needed for --layers, and if the probe reads the state after the final norm")
    private Path model;

    @Option(
            names = "--layers",
            paramLabel = "LIST",
            description = "which H[i] get it: numbers with commas, last or all (default: the one that the probe reads)")
    private String layers;

    @Option(
            names = "--scale",
            paramLabel = "S",
            defaultValue = "1",
            converter = Converters.Finite.class,
            description = "its length (default 1)")
    private float scale;

    @Option(names = "--as", paramLabel = "FORMAT", description = "gguf (default: the ending of the output's name)")
    private String as;

    @Option(names = "-o", paramLabel = "V.gguf", required = true, description = "output file")
    private Path output;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        ExportCommand.format(as, output, List.of("gguf"));
        if (scale == 0) {
            throw new UsageException("--scale is 0, which would change nothing: give the direction a length");
        }
        LinearProbe probe = LinearProbe.load(file);
        if (model == null && (layers != null || probe.layer() == LinearProbe.LAST)) {
            throw new UsageException("--model MODEL is missing: it says how many layers there are");
        }
        OutputFile.check(output);
        ModelConfig config = model == null ? null : ModelConfig.read(model);
        float[] norm = null;
        int read = probe.layer();
        if (config != null) {
            probe.checkWidth(config.hidden(), file);
            read = probe.layerIn(config.layers(), file);
            norm = read == config.layers() ? finalNorm(config) : null;
        }
        SortedSet<Integer> states = states(config, read);
        ControlVector.write(
                output,
                config == null ? null : config.family(),
                states,
                ControlVector.direction(probe.weight(), norm, scale));
        report(probe, states, config == null);
        return 0;
    }

    private float[] finalNorm(ModelConfig config) {
        try (TensorSource weights = config.description().tensors(SafetensorsModel.open(model))) {
            weights.require("model.norm.weight", config.hidden());
            return weights.floats("model.norm.weight");
        }
    }

    private SortedSet<Integer> states(ModelConfig config, int read) {
        SortedSet<Integer> states = new TreeSet<>(List.of(read));
        if (layers != null) {
            states = new TreeSet<>(LayerList.parse(layers, config.layers()));
            if (layers.trim().equals("all")) {
                states = states.tailSet(ControlVector.FIRST_STATE);
            }
        }
        if (states.isEmpty() || states.first() < ControlVector.FIRST_STATE) {
            throw new UsageException(
                    "llama.cpp cannot change the embeddings and the output of the first layer, H[0] and "
                            + "H[1]: name others with --layers");
        }
        return states;
    }

    private void report(LinearProbe probe, SortedSet<Integer> states, boolean alone) {
        if (alone) {
            Messages.current()
                    .warning("without --model H[" + states.first()
                            + "] is taken for the output of a layer; if it is the state after "
                            + "the final norm, say --model");
        }
        out.say(
                "a direction of width %d and length %.4g for %s",
                probe.width(),
                Math.abs(scale),
                String.join(" ", states.stream().map(i -> "H[" + i + "]").toList()));
        out.say("written to %s", output);
        ObjectNode json = Output.object();
        json.put("output", output.toString()).put("width", probe.width()).put("length", Math.abs(scale));
        states.forEach(json.putArray("layers")::add);
        out.result(json);
    }
}
