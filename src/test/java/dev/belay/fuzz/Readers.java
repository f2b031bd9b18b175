package dev.belay.fuzz;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.BelayException;
import dev.belay.cliff.HeadRanking;
import dev.belay.dataset.ColumnMap;
import dev.belay.dataset.DatasetImport;
import dev.belay.dataset.Records;
import dev.belay.gguf.GgufConversion;
import dev.belay.io.OutputFile;
import dev.belay.judge.JudgeLabels;
import dev.belay.model.LayerKind;
import dev.belay.model.ModelConfig;
import dev.belay.model.Rope;
import dev.belay.probe.LinearProbe;
import dev.belay.probe.ProbeImport;
import dev.belay.report.RecordedRun;
import dev.belay.run.ShardMerge;
import dev.belay.text.ChatTemplate;
import dev.belay.text.Message;
import dev.belay.text.ProbeText;
import dev.belay.text.TextFormat;
import dev.belay.text.ThinkingMarkers;
import dev.belay.text.TokenizedText;
import dev.belay.text.Tokenizer;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.SafetensorsModel;
import dev.belay.weights.TensorInfo;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The readers of files that strangers give, each with what must hold of a file that it accepts. A reader may refuse a file by a
 * {@link BelayException}; whatever else is thrown is a bug.
 */
final class Readers {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MOST_TOKENS = 1 << 24;
    private static final int MOST_ROWS = 20_000;

    /** What a tokenizer is tried with: several kinds of characters, and long runs of one kind. */
    private static final List<String> TEXTS = List.of(
            "Hello, world! It's 2026; naïve café – “quoted” 日本語 😀👩‍🚀 \u0000\ufffd <|user|></think>\r\n\n\tx",
            "a".repeat(3000) + "!",
            " ".repeat(3000) + "!",
            "\n ".repeat(500) + "ab1 ".repeat(500),
            "\ud83d");

    /** Numbers are equal if their values are, however they are written. */
    private static final Comparator<JsonNode> BY_VALUE =
            (a, b) -> a.equals(b) || a.isNumber() && b.isNumber() && a.doubleValue() == b.doubleValue() ? 0 : 1;

    private static final ChatTemplate TEMPLATE = ChatTemplate.of("<|user|>{{ messages[0]['content'] }}<think>", "", "");

    private Readers() {}

    private static void check(boolean holds, String what, Object... values) {
        if (!holds) {
            String text = what + " " + Arrays.toString(values);
            throw new AssertionError(text.substring(0, Math.min(text.length(), 1000)));
        }
    }

    /** Tensors tile the file as its header, read by other means, says. */
    static void safetensors(Path file) throws IOException {
        byte[] all = Files.readAllBytes(file);
        try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
            int length =
                    (int) ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).getLong();
            JsonNode header = JSON.readTree(all, 8, length);
            long end = 8 + length;
            Set<String> names = new HashSet<>();
            for (TensorInfo tensor : tensors.tensors()) {
                check(names.add(tensor.name()), "twice", tensor);
                check(tensor.offset() == end, "a gap before", tensor, end);
                end += tensor.bytes();
                long elements = Arrays.stream(tensor.shape()).reduce(1, Math::multiplyExact);
                check(elements == tensor.elements(), "elements", tensor, elements);
                check(elements * tensor.type().bytes() == tensor.bytes(), "bytes", tensor);
                JsonNode said = header.get(tensor.name());
                check(said.get("dtype").asText().equals(tensor.type().name()), "type", tensor, said);
                check(
                        JSON.valueToTree(tensor.shape())
                                .toString()
                                .equals(said.get("shape").toString()),
                        "shape",
                        said);
                check(tensors.segment(tensor.name()).byteSize() == tensor.bytes(), "segment", tensor);
                if (tensor.bytes() > 0) {
                    byte first = tensors.segment(tensor.name()).get(ValueLayout.JAVA_BYTE, 0);
                    check(first == all[(int) tensor.offset()], "first byte", tensor);
                }
                if (tensor.type().isFloating()) {
                    check(tensors.floats(tensor.name()).length == elements, "floats", tensor);
                }
            }
            check(end == all.length, "bytes behind the last tensor", end, all.length);
            check(header.size() == names.size() + (header.has("__metadata__") ? 1 : 0), "tensors", names);
        }
        try (SafetensorsModel model = SafetensorsModel.open(file.getParent())) {
            check(model.bytes() <= all.length, "bytes of the model", model.bytes());
        }
    }

    /** Every tensor of an index can be read from the file that it names. */
    static void index(Path file) throws IOException {
        for (String name : List.of("a", "b")) {
            String header = "{\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
            ByteBuffer bytes = ByteBuffer.allocate(16 + header.length()).order(ByteOrder.LITTLE_ENDIAN);
            bytes.putLong(header.length()).put(header.getBytes(StandardCharsets.UTF_8));
            Files.write(file.resolveSibling("model-" + name + ".safetensors"), bytes.array());
        }
        try (SafetensorsModel model = SafetensorsModel.open(file.getParent())) {
            JsonNode map = JSON.readTree(file.toFile()).get("weight_map");
            check(model.names().size() == map.size(), "tensors", model.names(), map);
            for (String name : model.names()) {
                check(map.get(name).asText().equals("model-" + name + ".safetensors"), "file", name, map);
                check(model.floats(name).length == 2, "floats", name);
            }
        }
    }

    /** What a GGUF file is converted to can be opened, and has every tensor of the file. */
    static void gguf(Path file) {
        Path folder = file.resolveSibling("converted");
        int tensors;
        try (GgufConversion conversion = new GgufConversion(file, true)) {
            tensors = conversion.tensors();
            conversion.write(folder, _ -> {});
        }
        ModelConfig config = ModelConfig.read(folder);
        checkConfig(config);
        try (SafetensorsModel model = SafetensorsModel.open(folder)) {
            check(model.names().size() == tensors, "tensors", model.names(), tensors);
            check(model.tensor("model.embed_tokens.weight").shape()[0] == config.vocabulary(), "vocabulary", config);
        }
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            checkTokenizer(tokenizer);
        }
    }

    /** Sizes fit each other, and rotary frequencies are numbers. */
    static void config(Path file) {
        checkConfig(ModelConfig.read(file.getParent()));
    }

    private static void checkConfig(ModelConfig config) {
        check(config.kinds().size() == config.layers(), "layers", config.layers());
        check(config.heads() % config.kvHeads() == 0, "heads", config.heads(), config.kvHeads());
        check(config.headSize() > 0 && config.headSize() % 2 == 0, "head size", config.headSize());
        check((long) config.heads() * config.headSize() < Integer.MAX_VALUE / 8, "width", config.heads());
        check(config.parameters() > 0 && config.parameters() < Long.MAX_VALUE / 16, "parameters", config.parameters());
        check(Float.isFinite(config.normEps()) && config.normEps() >= 0, "eps", config.normEps());
        check(config.endTokens().stream().allMatch(token -> token >= 0), "end tokens", config.endTokens());
        for (LayerKind kind : new HashSet<>(config.kinds())) {
            check(kind.window() >= 0, "window", kind.window());
            check(!kind.experts() || config.experts().top() <= config.experts().count(), "experts", config.experts());
            if (kind.rope() != null) {
                checkRope(kind.rope(), config);
            }
        }
    }

    private static void checkRope(Rope rope, ModelConfig config) {
        check(rope.size() > 0 && rope.size() <= config.headSize() && rope.size() % 2 == 0, "rotary size", rope.size());
        check(
                Double.isFinite(rope.scaling().magnitude()),
                "magnitude",
                rope.scaling().magnitude());
        for (int length : new int[] {1, config.positions(), config.positions() + 1, 100_000}) {
            for (double f : rope.scaling().frequencies(rope.theta(), rope.size(), Math.max(1, length))) {
                check(f >= 0 && f * 100_000 < Float.MAX_VALUE, "frequency", f, rope.theta(), length);
            }
        }
    }

    /** Ids are in the vocabulary, spans in the text; the same text gives the same ids; nothing crashes. */
    static void tokenizer(Path file) {
        try (Tokenizer tokenizer = Tokenizer.load(file.getParent())) {
            checkTokenizer(tokenizer);
            TextFormat format =
                    new TextFormat(tokenizer, TEMPLATE, ThinkingMarkers.find(Optional.of(TEMPLATE), tokenizer), false);
            ProbeText.of(format, new Transcript("1", TEXTS.getFirst(), "Hm <|user|>", "", null, null));
        }
    }

    /** All bytes are tokens, so that nothing of a text is lost; a template of Mistral's renders. */
    static void tekken(Path file) {
        try (Tokenizer tokenizer = Tokenizer.load(file.getParent())) {
            checkTokenizer(tokenizer);
            for (String text : TEXTS) {
                int[] ids = tokenizer.encode(text);
                String again = tokenizer.decode(ids, 0, ids.length, false);
                check(again.equals(text.replace('\ud83d', '\ufffd')) || again.equals(text), "decoded", text, again);
            }
        }
        rendersTwice(file.getParent());
    }

    private static void checkTokenizer(Tokenizer tokenizer) {
        int size = tokenizer.vocabSize();
        check(size >= 0 && size <= MOST_TOKENS, "vocabulary", size);
        for (String text : TEXTS) {
            TokenizedText tokens = tokenizer.encodeWithSpans(text);
            check(Arrays.equals(tokens.ids(), tokenizer.encode(text)), "two encodings differ");
            for (int i = 0; i < tokens.length(); i++) {
                check(tokens.ids()[i] >= 0 && tokens.ids()[i] < size, "id", tokens.ids()[i], size);
                check(0 <= tokens.start()[i] && tokens.start()[i] <= tokens.end()[i], "span", i, tokens.start()[i]);
                check(tokens.end()[i] <= text.length(), "span", i, tokens.end()[i]);
            }
            int some = Math.min(tokens.length(), 50);
            tokenizer.pieces(Arrays.copyOf(tokens.ids(), some));
            tokenizer.decodeKeeping(tokens.ids(), List.of("<think>"));
        }
    }

    /** A template, with tokens that it may need, renders the same text twice. */
    static void template(Path file) throws IOException {
        Files.writeString(
                file.resolveSibling("tokenizer_config.json"), "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}");
        rendersTwice(file.getParent());
    }

    private static void rendersTwice(Path folder) {
        ChatTemplate template = ChatTemplate.load(folder);
        List<Message> messages = List.of(
                new Message("system", "Be brief."), Message.user("Hi {{ x }} <b>\n"), new Message("assistant", "Ho"));
        String first = template.render(messages, true);
        check(first.length() <= 1 << 24, "length", first.length());
        // The time, and ids that Java gives objects, may differ.
        boolean varies = first.matches("(?s).*\\d.*");
        check(varies || first.equals(template.render(messages, true)), "two renderings differ", first);
    }

    /** Transcripts that are written again and read again are the same. */
    static void transcripts(Path file) throws IOException {
        checkWritten(Transcripts.read(file), file.resolveSibling("again.jsonl"));
    }

    private static void checkWritten(List<Transcript> transcripts, Path again) throws IOException {
        StringBuilder text = new StringBuilder();
        transcripts.forEach(t -> text.append(Transcripts.toJsonLine(t)).append('\n'));
        OutputFile.writeText(again, text.toString());
        List<Transcript> read;
        try {
            read = Transcripts.read(again);
        } catch (BelayException e) {
            // Ids that are numbers of lines may become those of other lines, which have them by name.
            check(e.getMessage().contains("; ids must differ"), "written transcripts cannot be read", e);
            return;
        }
        check(read.size() == transcripts.size(), "transcripts", transcripts.size(), read.size());
        for (int i = 0; i < read.size(); i++) {
            Transcript was = transcripts.get(i);
            Transcript is = read.get(i);
            boolean named = was.source() == null || was.source().hasNonNull("id");
            check(!named || was.id().equals(is.id()), "id", was.id(), is.id());
            check(was.prompt().equals(is.prompt()), "prompt", was.prompt(), is.prompt());
            check(was.thinking().equals(is.thinking()), "thinking", was.thinking(), is.thinking());
            check(was.response().equals(is.response()), "response", was.response(), is.response());
            check(Objects.equals(was.harmful(), is.harmful()), "harmful", was.harmful(), is.harmful());
            check(
                    was.source() == null || was.source().equals(BY_VALUE, is.source()),
                    "source",
                    was.source(),
                    is.source());
            check(
                    was.meta() == null ? is.meta() == null : was.meta().equals(BY_VALUE, is.meta()),
                    "meta",
                    was.meta(),
                    is.meta());
        }
    }

    /** Labels have an id each. */
    static void labels(Path file) {
        Map<String, Boolean> labels = JudgeLabels.read(file);
        check(!labels.isEmpty() && !labels.containsValue(null), "labels", labels);
    }

    /** A probe that is saved and loaded again is the same. */
    static void probe(Path file) {
        checkProbe(LinearProbe.load(file), file);
        checkProbe(ProbeImport.read(file, null, null, 3), file);
    }

    /** The numbers of a NumPy file are the last bytes of it. */
    static void numpy(Path file) throws IOException {
        LinearProbe probe = ProbeImport.read(file, null, null, LinearProbe.LAST);
        checkProbe(probe, file);
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        float last = probe.weight()[probe.width() - 1];
        int at = bytes.capacity();
        check(
                last == (float) bytes.getDouble(at - 8)
                        || last == bytes.getFloat(at - 4)
                        || last == Float.float16ToFloat(bytes.getShort(at - 2)),
                "last number",
                last);
    }

    private static void checkProbe(LinearProbe probe, Path file) {
        for (float w : probe.weight()) {
            check(Float.isFinite(w), "weight", w);
        }
        Path again = file.resolveSibling("again.safetensors");
        probe.save(again);
        LinearProbe saved = LinearProbe.load(again);
        check(Arrays.equals(probe.weight(), saved.weight()), "weights differ", again);
        check(probe.bias() == saved.bias() && probe.layer() == saved.layer(), "bias or layer", probe.bias());
        check(probe.metadata().equals(saved.metadata()), "metadata", probe.metadata(), saved.metadata());
    }

    /** Every head of a ranking is the file's. */
    static void heads(Path file) throws IOException {
        HeadRanking ranking = HeadRanking.read(file);
        JsonNode entries = JSON.readTree(file.toFile()).get("ranking");
        check(entries.size() == ranking.ranking().size(), "heads", entries.size());
        for (int i = 0; i < entries.size(); i++) {
            HeadRanking.Entry entry = ranking.ranking().get(i);
            check(entry.layer() >= 0 && entry.head() >= 0, "head", entry);
            check(entries.get(i).get("layer").asDouble() == entry.layer(), "layer", entry, entries.get(i));
            check(entries.get(i).get("head").asDouble() == entry.head(), "head", entry, entries.get(i));
            JsonNode score = entries.get(i).get("score");
            check(score == null || score.isNull() || score.asDouble(Double.NaN) == entry.score(), "score", entry);
        }
        check(ranking.layers() >= 0 && ranking.heads() >= 0, "layers and heads", ranking.layers(), ranking.heads());
        ranking.toJson();
    }

    /** Records have the fields of their columns; what is imported can be written and read. */
    static void dataset(Path file) throws IOException {
        try (Records records = Records.open(file)) {
            int fields = -1;
            int rows = 0;
            // A few bytes of Parquet can say that billions of rows are empty.
            for (JsonNode record = records.next(); record != null && rows < MOST_ROWS; record = records.next()) {
                rows++;
                boolean table = !file.toString().endsWith(".json");
                check(!table || fields < 0 || fields == record.size(), "fields", fields, record);
                fields = record.size();
            }
        }
        for (ColumnMap columns :
                new ColumnMap[] {null, ColumnMap.parse("prompt=prompt,response=response,harmful=label")}) {
            List<Transcript> transcripts = new ArrayList<>();
            try {
                var options = new DatasetImport.Options(null, columns, null, null, 1000, columns != null);
                new DatasetImport(file, options).run(transcripts::add);
                checkWritten(transcripts, file.resolveSibling("again.jsonl"));
            } catch (BelayException e) {
                FuzzTarget.checkMessage(e, file.getParent());
            }
        }
    }

    /** The command line and the files of a run are those of the JSON, whether a page holds it or not. */
    static void run(Path file) throws IOException {
        RecordedRun run = RecordedRun.read(file.getParent());
        String text = Files.readString(file);
        Matcher page = Pattern.compile(
                        "^(?=<).*?<script type=\"application/json\" id=\"manifest\">(.*?)</script>", Pattern.DOTALL)
                .matcher(text);
        JsonNode manifest = JSON.readTree(page.find() ? page.group(1) : text);
        check(JSON.valueToTree(run.arguments()).equals(manifest.get("arguments")), "arguments", run.arguments());
        checkFiles(run.models(), manifest.path("models"), "fingerprint");
        checkFiles(run.inputs(), manifest.path("inputs"), "sha256");
        checkFiles(run.outputs(), manifest.path("artifacts"), "sha256");
    }

    private static void checkFiles(Map<Path, String> files, JsonNode said, String hash) {
        check(files.size() == said.size(), "files", files, said);
        for (JsonNode one : said) {
            String value = files.get(Path.of(one.get("path").textValue()));
            check(one.get(hash).textValue().equals(value), "hash", value, one);
        }
    }

    /** What is merged from the only shard of a run has that shard's units. */
    static void journal(Path file) throws IOException {
        Path output = file.resolveSibling("output.json");
        ShardMerge.journal(List.of(file), output);
        // Bytes as characters: a last line that is cut short need not be text. It does not count.
        String all = Files.readString(file, StandardCharsets.ISO_8859_1);
        List<String> merged = Files.readAllLines(file.resolveSibling("output.json.progress"));
        Set<String> units = new HashSet<>();
        String[] lines = all.substring(0, all.lastIndexOf('\n')).split("\n", -1);
        for (String line : Arrays.asList(lines).subList(1, lines.length)) {
            JsonNode unit = JSON.readTree(line.getBytes(StandardCharsets.ISO_8859_1));
            units.add(unit.path("stage").asText() + " " + unit.path("from").asInt());
        }
        check(units.size() == merged.size() - 1, "units", units.size(), merged.size());
        for (String line : merged.subList(1, merged.size())) {
            JsonNode unit = JSON.readTree(line);
            check(
                    units.contains(
                            unit.get("stage").asText() + " " + unit.get("from").asInt()),
                    "unit",
                    line);
        }
    }
}
