package dev.belay.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.io.JsonText;
import dev.belay.io.OutputFile;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What is needed to repeat a run and to know its files again: tool, machine, command line, models, seeds, options, times, and the
 * SHA-256 of every file it read and wrote. It is filled as the run goes on; {@link #finish} stamps the end.
 */
public final class RunManifest {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_./:=,%@+-]+");

    private final String command;
    private final Clock clock;
    private final Instant started;
    private final Machine machine;
    private final Timings timings = new Timings();
    private final List<String> arguments = new ArrayList<>();
    private Path directory;
    private String device;
    private Instant finished;
    private long peakBytes;
    private final Map<Path, String> models = new LinkedHashMap<>();
    private final Map<String, Long> seeds = new LinkedHashMap<>();
    private final Map<String, Object> options = new LinkedHashMap<>();
    private final Map<Path, Artifact> inputs = new LinkedHashMap<>();
    private final List<Artifact> artifacts = new ArrayList<>();
    private final List<Artifact> measured = new ArrayList<>();
    private Artifact page;

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

    /**
     * Records the command line.
     *
     * @param line the arguments, the command first
     * @param folder where it was given
     */
    public RunManifest arguments(List<String> line, Path folder) {
        arguments.addAll(line);
        directory = folder;
        return this;
    }

    /**
     * Records a model that the run used.
     *
     * @param fingerprint a hash of the model's files
     */
    public RunManifest model(Path folder, String fingerprint) {
        models.put(folder, fingerprint);
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

    /** Records an option that was not given, and the value that was chosen for it: to repeat the run it is to be given. */
    public RunManifest chosen(String name, Object value) {
        if (!arguments.isEmpty()) {
            arguments.addAll(List.of(name, value.toString()));
        }
        return option(name, value);
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

    /** Records a finished file of times, which differs each time. */
    public RunManifest measured(Path file) {
        measured.add(Artifact.of(file));
        return this;
    }

    /** Records the page that was written, which differs each time as it has the times. */
    public RunManifest page(Path file) {
        page = Artifact.of(file);
        return this;
    }

    /** Records a file that the run read: its size and SHA-256. */
    public RunManifest input(Path file) {
        inputs.computeIfAbsent(file, Artifact::of);
        return this;
    }

    /** Stamps the end, and the most memory that was needed; only the first time. */
    public RunManifest finish() {
        if (finished == null) {
            finished = clock.instant();
            peakBytes = Machine.peakBytes();
        }
        return this;
    }

    /** The most memory of the process, in bytes; 0 where the system does not tell. */
    long peakBytes() {
        return peakBytes;
    }

    /** The manifest as it stands. */
    public ObjectNode toJson() {
        finish();
        ObjectNode root = JSON.createObjectNode();
        root.put("tool", "belay").put("version", machine.version()).put("command", command);
        arguments.forEach(root.putArray("arguments")::add);
        root.put("directory", directory == null ? null : slashes(directory));
        root.put("started", started.toString()).put("finished", finished.toString());
        ArrayNode models = root.putArray("models");
        this.models.forEach((folder, fingerprint) ->
                models.addObject().put("path", slashes(folder)).put("fingerprint", fingerprint));
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
        root.put("peakBytes", peakBytes);
        list(root.putArray("inputs"), inputs.values());
        list(root.putArray("artifacts"), artifacts);
        if (!measured.isEmpty()) {
            list(root.putArray("measured"), measured);
        }
        if (page != null) {
            root.set("page", json(page));
        }
        return root;
    }

    private static void list(ArrayNode array, Iterable<Artifact> files) {
        files.forEach(file -> array.add(json(file)));
    }

    private static ObjectNode json(Artifact file) {
        ObjectNode json = JSON.createObjectNode().put("path", slashes(file.path()));
        return json.put("bytes", file.bytes()).put("sha256", file.sha256());
    }

    /** The manifest as text; artifacts are named relative to the folder of {@code place} where they lie below it. */
    String text(Path place) {
        ObjectNode root = toJson();
        Path folder = place.toAbsolutePath().normalize().getParent();
        for (int i = 0; i < artifacts.size(); i++) {
            relate(root.path("artifacts").get(i), artifacts.get(i), folder);
        }
        if (page != null) {
            relate(root.get("page"), page, folder);
        }
        return text(root);
    }

    private static void relate(JsonNode json, Artifact artifact, Path folder) {
        Path file = artifact.path().toAbsolutePath().normalize();
        if (folder != null && file.startsWith(folder)) {
            ((ObjectNode) json).put("path", slashes(folder.relativize(file)));
        }
    }

    private static String text(ObjectNode root) {
        try {
            return JsonText.encodable(JSON.writeValueAsString(root)).replace("\r\n", "\n") + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Writes the manifest. */
    public void write(Path target) {
        OutputFile.writeText(target, text(target));
    }

    /** The manifest as it stands in a page: no character of it ends an element. */
    String embedded() {
        return text(toJson()).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026");
    }

    /** The manifest in a page that {@link HtmlReport} made; null if it has none. */
    public static String inPage(String page) {
        int from = page.indexOf(RepeatSection.MANIFEST);
        int to = from < 0 ? -1 : page.indexOf("</script>", from);
        return to < 0 ? null : page.substring(from + RepeatSection.MANIFEST.length(), to);
    }

    /** Of Belay. */
    public String version() {
        return machine.version();
    }

    /** The command line as a shell takes it; empty if it is not known. */
    String commandLine() {
        return arguments.isEmpty()
                ? ""
                : "belay " + arguments.stream().map(RunManifest::quoted).collect(Collectors.joining(" "));
    }

    private static String quoted(String argument) {
        return PLAIN.matcher(argument).matches() ? argument : "'" + argument.replace("'", "'\\''") + "'";
    }

    /** The files that were read and written, and the models' fingerprints. */
    DataTable files() {
        DataTable table = new DataTable("Files", "What was read and written, with SHA-256; of a model its fingerprint.")
                .text("role")
                .name("file")
                .number("bytes", 0)
                .name("SHA-256");
        models.forEach((folder, fingerprint) -> table.row("model", slashes(folder), null, fingerprint));
        inputs.values().forEach(file -> row(table, "read", file));
        artifacts.forEach(file -> row(table, "written", file));
        measured.forEach(file -> row(table, "written", file));
        return table;
    }

    private static void row(DataTable table, String role, Artifact file) {
        table.row(role, slashes(file.path()), file.bytes(), file.sha256());
    }

    /** The facts for the page's last table, in reading order; unset ones are left out. */
    public Map<String, String> facts() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("command", command);
        facts.put("belay", machine.version());
        facts.put("started", started.toString());
        if (directory != null) {
            facts.put("folder", slashes(directory));
        }
        if (device != null) {
            facts.put("device", device);
        }
        facts.put("cpu", machine.cpu() + ", " + HtmlText.counted(machine.processors(), "processor"));
        facts.put("java", machine.java());
        facts.put("os", machine.os());
        seeds.forEach((name, value) -> facts.put("seed: " + name, Long.toString(value)));
        options.forEach((name, value) -> facts.put(name, value == null ? HtmlText.NONE : value.toString()));
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
