package dev.belay.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What is needed to repeat a run and to know its files again: tool, machine, model, seeds, options, times, and the SHA-256
 * of every artifact. It is filled as the run goes on; {@link #write} stamps the end and writes it as JSON.
 */
public final class RunManifest {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private final String command;
    private final Clock clock;
    private final Instant started;
    private final Machine machine;
    private final Timings timings = new Timings();
    private Path model;
    private String fingerprint;
    private String device;
    private final Map<String, Long> seeds = new LinkedHashMap<>();
    private final Map<String, Object> options = new LinkedHashMap<>();
    private final List<Artifact> inputs = new ArrayList<>();
    private final List<Artifact> artifacts = new ArrayList<>();

    RunManifest(String command, Clock clock, Machine machine) {
        this.command = command;
        this.clock = clock;
        this.started = clock.instant();
        this.machine = machine;
    }

    /** Starts the manifest of a command, now and on this machine. */
    public static RunManifest start(String command) {
        return new RunManifest(command, Clock.systemUTC(), Machine.current());
    }

    /** @param fingerprint a hash of the model's files */
    public RunManifest model(Path folder, String fingerprint) {
        this.model = folder;
        this.fingerprint = fingerprint;
        return this;
    }

    /** The device that did the work, in words. */
    public RunManifest device(String name) {
        this.device = name;
        return this;
    }

    public RunManifest seed(String name, long seed) {
        seeds.put(name, seed);
        return this;
    }

    /** @param value text, a number, a truth value, a list of these, or null */
    public RunManifest option(String name, Object value) {
        options.put(name, value);
        return this;
    }

    /** The clocks of this run's phases. */
    public Timings timings() {
        return timings;
    }

    /** Records a finished file: its size and SHA-256 as they are now. */
    public RunManifest artifact(Path file) {
        artifacts.add(Artifact.of(file));
        return this;
    }

    /** Records a file that the run read: its size and SHA-256. */
    public RunManifest input(Path file) {
        inputs.add(Artifact.of(file));
        return this;
    }

    /** The manifest as it stands, finished now. */
    public ObjectNode toJson() {
        ObjectNode root = JSON.createObjectNode();
        root.put("tool", "belay").put("version", machine.version()).put("command", command);
        root.put("started", started.toString()).put("finished", clock.instant().toString());
        ObjectNode model = root.putObject("model");
        model.put("path", this.model == null ? null : slashes(this.model)).put("fingerprint", fingerprint);
        root.put("device", device);
        ObjectNode host = root.putObject("machine");
        host.put("java", machine.java()).put("os", machine.os()).put("cpu", machine.cpu());
        host.put("processors", machine.processors()).put("heapBytes", machine.heapBytes());
        ObjectNode seeds = root.putObject("seeds");
        this.seeds.forEach(seeds::put);
        ObjectNode options = root.putObject("options");
        this.options.forEach((name, value) -> options.set(name, JSON.valueToTree(plain(value))));
        ObjectNode seconds = root.putObject("seconds");
        timings.seconds().forEach((name, value) -> seconds.put(name, Math.round(value * 1e6) / 1e6));
        list(root.putArray("inputs"), inputs);
        list(root.putArray("artifacts"), artifacts);
        return root;
    }

    private static void list(ArrayNode array, List<Artifact> files) {
        for (Artifact artifact : files) {
            array.addObject()
                    .put("path", slashes(artifact.path()))
                    .put("bytes", artifact.bytes())
                    .put("sha256", artifact.sha256());
        }
    }

    /** Writes the manifest; artifacts are named relative to its folder where they lie below it. */
    public void write(Path target) {
        ObjectNode root = toJson();
        Path folder = target.toAbsolutePath().normalize().getParent();
        for (int i = 0; i < artifacts.size(); i++) {
            Path file = artifacts.get(i).path().toAbsolutePath().normalize();
            if (folder != null && file.startsWith(folder)) {
                ((ObjectNode) root.path("artifacts").get(i)).put("path", slashes(folder.relativize(file)));
            }
        }
        try {
            OutputFile.writeText(target, JSON.writeValueAsString(root).replace("\r\n", "\n") + "\n");
        } catch (JsonProcessingException e) {
            throw new BelayException("cannot write " + target + ": " + e.getOriginalMessage(), e);
        }
    }

    /** The facts for the page's last table, in reading order; unset ones are left out. */
    public Map<String, String> facts() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("command", command);
        facts.put("belay", machine.version());
        facts.put("started", started.toString());
        if (model != null) {
            facts.put("model", slashes(model));
            facts.put("model fingerprint", fingerprint);
        }
        if (device != null) {
            facts.put("device", device);
        }
        facts.put("cpu", machine.cpu() + ", " + HtmlText.counted(machine.processors(), "processor"));
        facts.put("java", machine.java());
        facts.put("os", machine.os());
        seeds.forEach((name, value) -> facts.put("seed: " + name, Long.toString(value)));
        options.forEach((name, value) -> facts.put(name, value == null ? HtmlText.NONE : value.toString()));
        timings.seconds().forEach((name, value) -> facts.put("time: " + name, HtmlText.fixed(value, 2) + " s"));
        return facts;
    }

    private static Object plain(Object value) {
        return switch (value) {
            case null -> null;
            case Number number -> number;
            case Boolean flag -> flag;
            case List<?> list -> list.stream().map(RunManifest::plain).toList();
            default -> value.toString();
        };
    }

    private static String slashes(Path path) {
        return path.toString().replace('\\', '/');
    }
}
