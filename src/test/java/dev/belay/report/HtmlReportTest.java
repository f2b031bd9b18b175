package dev.belay.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.io.OutputFile;
import dev.belay.stats.Change;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

class HtmlReportTest {
    private static final Pattern SVG = Pattern.compile("<svg.*?</svg>", Pattern.DOTALL);

    /** Also leaves the pages in target/, to be looked at. */
    @Test
    void rendersTheSamples() throws IOException {
        String tiny = HtmlReport.render(SampleReport.tiny());
        String large = HtmlReport.render(SampleReport.large());
        OutputFile.writeText(Path.of("target/report-sample/tiny.html"), tiny);
        OutputFile.writeText(Path.of("target/report-sample/large.html"), large);
        assertEquals(8, svgs(tiny).size());
        assertEquals(6, svgs(large).size());
        assertTrue(large.length() < 2_000_000, "page of " + large.length() + " characters");
    }

    @Test
    void everySvgIsWellFormedAndDescribed() throws IOException {
        List<String> svgs = new ArrayList<>(svgs(HtmlReport.render(SampleReport.tiny())));
        svgs.addAll(svgs(HtmlReport.render(SampleReport.large())));
        for (String svg : svgs) {
            Element root = parse(svg);
            assertEquals("img", root.getAttribute("role"));
            assertEquals("title", root.getFirstChild().getNodeName());
            assertEquals("desc", root.getChildNodes().item(1).getNodeName());
            assertFalse(svg.contains("NaN") || svg.contains("Infinity"), svg);
        }
    }

    @Test
    void showsTheNumbers() throws IOException {
        String page = HtmlReport.render(SampleReport.tiny());
        assertTrue(page.contains(">cliff 0.87</text>"), "dimension arrow");
        assertTrue(page.contains("mean of 48 transcripts"));
        assertTrue(page.contains("<title>layer 3, head 1: −5.93</title>"));
        assertTrue(page.contains("<title>layer 0, head 5: 0.1563</title>"));
        assertTrue(page.contains("<code>↵↵</code>"), "closing token made visible");
        assertTrue(page.contains("title=\"token 55: 0.08"));
        assertTrue(page.contains("<dt>AUROC</dt><dd class=\"\">1.000</dd>"));
        assertTrue(page.contains("random heads: 2.1 %"));
        assertTrue(page.contains("9f86d081884c7d65"));
    }

    @Test
    void loadsNothing() throws IOException {
        for (RunReport report : List.of(SampleReport.tiny(), SampleReport.large())) {
            String page = HtmlReport.render(report);
            for (String load :
                    List.of("http://", "https://", " src=", " href=", "url(", "@import", "<script ", "<link")) {
                assertFalse(page.contains(load), load);
            }
        }
    }

    @Test
    void escapesEveryText() {
        String evil = "<script>alert(\"x\")</script>&'\u0000";
        TraceSeries trace =
                new TraceSeries(evil, evil, new String[] {evil, evil, evil}, new double[] {0, 1, 0}, 1, 2, 1, 0);
        DataTable table = new DataTable(evil, evil).name(evil).text(evil).wide(evil);
        table.row(evil, evil, evil);
        HeadMap map = new HeadMap(evil, evil, evil, 0, new double[][] {{1}}, false, List.of());
        String page = HtmlReport.render(RunReport.builder(evil, evil)
                .subtitle(evil)
                .story(evil)
                .plateauRule(evil)
                .trace(trace)
                .map(map)
                .outcome(OutcomeBar.share(evil, 0, 1, 0, 1))
                .comparison(new Comparison(
                        evil,
                        evil,
                        List.of(trace),
                        List.of(new Comparison.Row(
                                evil,
                                evil,
                                OutcomeBar.Measure.SHARE,
                                Change.ofTruths(new boolean[] {true}, new boolean[] {false}, 0)))))
                .selected(new SelectedExample(evil, evil, 1, 0, evil))
                .table(table)
                .fact(evil, evil)
                .build());
        assertEquals(2, page.split("<script", -1).length, "only the page's own");
        assertFalse(page.contains("\"x\""));
        assertFalse(page.contains("\u0000"));
        assertTrue(page.contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;␀"));
        svgs(page).forEach(HtmlReportTest::parse);
    }

    @Test
    void tellsWhatChanged() {
        boolean[] none = new boolean[20];
        boolean[] most = new boolean[20];
        Arrays.fill(most, 0, 15, true);
        Comparison.Row row =
                new Comparison.Row("attacks", "refused", OutcomeBar.Measure.SHARE, Change.ofTruths(none, most, 0));
        Comparison.Row unknown = new Comparison.Row(
                "attacks",
                "plateau",
                OutcomeBar.Measure.MEAN_SCORE,
                Change.ofScores(new double[] {Double.NaN}, new double[] {Double.NaN}, 0));
        String page = HtmlReport.render(RunReport.builder("title", "a → b")
                .comparison(new Comparison("a", "b", List.of(), List.of(row, unknown)))
                .outcome(OutcomeBar.change("attacks refused", row.measure(), row.change()))
                .build());
        assertTrue(page.contains("<td class=\"n\"><b>+75.0 %</b></td>"), page);
        assertTrue(page.contains("<td class=\"n\">15 / 0 of 20</td><td class=\"n\">&lt; 0.001</td>"), page);
        assertTrue(page.contains("bootstrap over transcripts"), page);
        assertFalse(page.contains("Wilson") || page.contains("heads ablated") || page.contains("NaN"), page);
    }

    @Test
    void sameReportSameBytesInAnyLocale() throws IOException {
        String first = HtmlReport.render(SampleReport.tiny());
        Locale before = Locale.getDefault();
        try {
            Locale.setDefault(Locale.GERMANY);
            assertEquals(first, HtmlReport.render(SampleReport.tiny()));
        } finally {
            Locale.setDefault(before);
        }
    }

    @Test
    void leavesOutWhatIsMissing() {
        String page = HtmlReport.render(RunReport.builder("title", "model").build());
        assertTrue(page.contains("<h1>title</h1>"));
        assertFalse(page.contains("<section>"));
        assertFalse(page.contains("<svg"));
        assertFalse(page.contains("NaN"));
    }

    @Test
    void copesWithMissingNumbers() {
        double nan = Double.NaN;
        TraceSeries blank = new TraceSeries("a", "p", new String[] {"x"}, new double[] {nan}, 0, 1, nan, nan);
        TraceSeries none = new TraceSeries("b", "p", new String[0], new double[0], 0, 0, nan, nan);
        String page = HtmlReport.render(RunReport.builder("title", "model")
                .trace(blank)
                .trace(none)
                .map(new HeadMap("empty", "", "", 0, new double[0][], true, List.of()))
                .map(new HeadMap("blank", "", "", nan, new double[][] {{nan, nan}}, true, List.of()))
                .outcome(OutcomeBar.share("nothing", nan, nan, nan, 0))
                .probe(new ProbeSummary(0, nan, nan, nan, nan))
                .build());
        assertFalse(page.contains("NaN"));
        assertTrue(page.contains("<dt>AUROC</dt><dd class=\"\">–</dd>"));
        svgs(page).forEach(HtmlReportTest::parse);
    }

    static List<String> svgs(String page) {
        return SVG.matcher(page).results().map(MatchResult::group).toList();
    }

    static Element parse(String svg) {
        try {
            return DocumentBuilderFactory.newInstance()
                    .newDocumentBuilder()
                    .parse(new InputSource(new StringReader(svg)))
                    .getDocumentElement();
        } catch (Exception e) {
            throw new AssertionError("not well-formed: " + e.getMessage() + "\n" + svg, e);
        }
    }
}
