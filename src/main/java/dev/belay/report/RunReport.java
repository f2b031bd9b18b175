package dev.belay.report;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Everything the page shows. Every part but the title and the model may be missing (null or empty); its section is then
 * left out.
 *
 * @param title what was run, e.g. "Refusal cliff of tiny-cliff"
 * @param model the model's name
 * @param subtitle one line below the model: shape, device, data set; may be empty
 * @param story the findings in about three sentences, the most important first
 * @param plateauRule how the plateau was taken: "max", "mean" or "p90"
 * @param probe quality of the refusal probe; may be null
 * @param traces refusal scores by position, one series for each transcript, or for the first where there are too many to plot
 * @param means of all transcripts; null = those of the traces
 * @param maps one map of layers × heads for each ranking
 * @param outcomes what the ablation changed
 * @param comparison what differs from another model; may be null
 * @param selected training examples chosen by the judge, best first
 * @param tables what was found, row by row
 * @param manifest what is needed to repeat the run; may be null
 * @param facts what is needed to repeat the run, in the order to show; see {@link RunManifest#facts()}
 */
public record RunReport(
        String title,
        String model,
        String subtitle,
        List<String> story,
        String plateauRule,
        ProbeSummary probe,
        List<TraceSeries> traces,
        TraceMeans means,
        List<HeadMap> maps,
        List<OutcomeBar> outcomes,
        Comparison comparison,
        List<SelectedExample> selected,
        List<DataTable> tables,
        RunManifest manifest,
        Map<String, String> facts) {

    public RunReport {
        Objects.requireNonNull(title, "title");
        Objects.requireNonNull(model, "model");
        subtitle = Objects.requireNonNullElse(subtitle, "");
        story = copy(story);
        plateauRule = Objects.requireNonNullElse(plateauRule, "max");
        traces = copy(traces);
        means = means == null ? TraceMeans.of(traces) : means;
        maps = copy(maps);
        outcomes = copy(outcomes);
        selected = copy(selected);
        tables = copy(tables);
        facts = facts == null ? Map.of() : Collections.unmodifiableMap(new LinkedHashMap<>(facts));
    }

    private static <T> List<T> copy(List<T> list) {
        return list == null ? List.of() : List.copyOf(list);
    }

    /** Starts an empty report. */
    public static Builder builder(String title, String model) {
        return new Builder(title, model);
    }

    /** Collects the parts that a command has. */
    public static final class Builder {
        private final String title;
        private final String model;
        private String subtitle = "";
        private final List<String> story = new ArrayList<>();
        private String plateauRule = "max";
        private ProbeSummary probe;
        private final List<TraceSeries> traces = new ArrayList<>();
        private TraceMeans means;
        private final List<HeadMap> maps = new ArrayList<>();
        private final List<OutcomeBar> outcomes = new ArrayList<>();
        private Comparison comparison;
        private final List<SelectedExample> selected = new ArrayList<>();
        private final List<DataTable> tables = new ArrayList<>();
        private RunManifest manifest;
        private final Map<String, String> facts = new LinkedHashMap<>();

        private Builder(String title, String model) {
            this.title = title;
            this.model = model;
        }

        public Builder subtitle(String line) {
            subtitle = line;
            return this;
        }

        /** Adds one sentence to the summary. */
        public Builder story(String sentence) {
            story.add(sentence);
            return this;
        }

        public Builder plateauRule(String rule) {
            plateauRule = rule;
            return this;
        }

        public Builder probe(ProbeSummary summary) {
            probe = summary;
            return this;
        }

        public Builder trace(TraceSeries trace) {
            traces.add(trace);
            return this;
        }

        /** The means of all transcripts, where not all have a trace here. */
        public Builder means(TraceMeans ofAll) {
            means = ofAll;
            return this;
        }

        public Builder map(HeadMap map) {
            maps.add(map);
            return this;
        }

        public Builder outcome(OutcomeBar outcome) {
            outcomes.add(outcome);
            return this;
        }

        public Builder comparison(Comparison other) {
            comparison = other;
            return this;
        }

        public Builder selected(SelectedExample example) {
            selected.add(example);
            return this;
        }

        public Builder table(DataTable table) {
            tables.add(table);
            return this;
        }

        /** Adds what is needed to repeat the run, and its facts. */
        public Builder manifest(RunManifest finished) {
            manifest = finished;
            facts.putAll(finished.facts());
            return this;
        }

        public Builder fact(String name, String value) {
            facts.put(name, value);
            return this;
        }

        public RunReport build() {
            return new RunReport(
                    title,
                    model,
                    subtitle,
                    story,
                    plateauRule,
                    probe,
                    traces,
                    means,
                    maps,
                    outcomes,
                    comparison,
                    selected,
                    tables,
                    manifest,
                    facts);
        }
    }
}
