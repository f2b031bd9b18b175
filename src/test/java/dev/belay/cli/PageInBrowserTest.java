package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.io.OutputFile;
import dev.belay.report.HtmlReport;
import dev.belay.report.SampleReport;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The pages of runs as people meet them: in Chromium, over file://, with mouse, keyboard and screen reader, on wide and narrow screens. */
class PageInBrowserTest {
    private static final String AXE = "/META-INF/resources/webjars/axe-core/4.6.3/axe.min.js";
    private static final int WIDE = 1200;
    private static final int PHONE = 390;
    /** Of a sheet of A4 without its margins. */
    private static final int PAPER = 688;

    private static final String TABLE = "document.querySelector('table.sortable')";

    @TempDir
    static Path folder;

    private static final Map<String, Path> PAGES = new LinkedHashMap<>();
    private static Browser browser;

    @BeforeAll
    static void start() throws IOException, InterruptedException {
        browser = Browser.start(folder.resolve("profile"));
        Path probe = GoldenFiles.probe(folder.resolve("probe.safetensors"));
        Path attacks = Cli.few(folder, "attacks.jsonl", 6);
        Path heads = Cli.write(folder.resolve("heads.json"), "{\"ranking\": [{\"layer\": 0, \"head\": 5}]}");
        Path question = Cli.write(
                folder.resolve("q.jsonl"), "{\"question\": \"1 + 1?\", \"choices\": [\"2\", \"3\"], \"answer\": 0}\n");
        Path refused = Cli.few(folder, "refused.jsonl", 6);
        page("trace", "trace ? --probe ? --data ?", Cli.TINY, probe, attacks);
        page("heads", "heads ? --probe ? --data ? --method direct", Cli.TINY, probe, attacks);
        page("ablate", "ablate ? --heads ? --top 1 --probe ? --data ?", Cli.TINY, heads, probe, attacks);
        page("compare", "compare ? ? --probe ? --data ? --max-new-tokens 8", Cli.TINY, Cli.TINY, probe, attacks);
        page("select", "select ? --probe ? --data ? --top 3", Cli.TINY, probe, attacks);
        page("judge", "judge ?", Cli.data("benign.jsonl"));
        page("generate", "generate ? --data ? --max-new-tokens 8", Cli.TINY, attacks);
        page("eval", "eval ? --task ?", Cli.TINY, question);
        page("capture", "capture ? --data ?", Cli.TINY, attacks);
        page(
                "probe-train",
                "probe train ? --refused ? --complied ?",
                Cli.TINY,
                refused,
                Cli.few(folder, "complied.jsonl", 6));
        page("probe-test", "probe test ? --probe ? --data ?", Cli.TINY, probe, attacks);
        page("bake", "bake ? --heads ? --top 1", Cli.TINY, heads);
        page("verify", "verify ?", Cli.LLAMA);
        page("bench", "bench ? --device cpu --seconds 1", Cli.TINY);
        page(
                "import",
                "import ? --columns prompt=goal --harmful true",
                Cli.write(folder.resolve("p.csv"), "goal\nhow?\n"));
        Path large = folder.resolve("large.html");
        OutputFile.writeText(large, HtmlReport.render(SampleReport.large()));
        PAGES.put("large", large);
    }

    private static void page(String name, String line, Object... values) {
        Path page = folder.resolve(name + ".html");
        Cli.run(Cli.args(line, values), "-o", folder.resolve(name + ".out"), "--report", page)
                .ok();
        PAGES.put(name, page);
    }

    @AfterAll
    static void stop() throws InterruptedException {
        if (browser != null) {
            browser.stop();
        }
    }

    private static void open(String name, int width, String scheme) throws InterruptedException {
        browser.size(width, 900);
        browser.media(scheme, "screen");
        browser.open(PAGES.get(name));
    }

    @Test
    void pagesLoadNothingAndComplainOfNothing() throws InterruptedException {
        for (String name : PAGES.keySet()) {
            open(name, WIDE, "light");
            assertEquals(List.of(), browser.requests(PAGES.get(name)), name);
            assertEquals(List.of(), browser.complaints(), name);
        }
    }

    private static List<String> column(int number) throws InterruptedException {
        return browser.texts("[..." + TABLE + ".tBodies[0].rows].map(row => row.cells[" + number + "].textContent)");
    }

    private static String head(int number) {
        return TABLE + ".tHead.rows[0].cells[" + number + "]";
    }

    private static String order(int number) throws InterruptedException {
        return browser.value(head(number) + ".getAttribute('aria-sort')").asText();
    }

    /** A click sorts numbers from the largest down, texts from the first up; another turns it round. */
    @Test
    void aClickSorts() throws InterruptedException {
        open("trace", WIDE, "light");
        List<String> ids = column(0);
        List<String> cliffs = column(4);
        assertEquals(6, ids.size());
        List<String> sorted = new ArrayList<>(cliffs);
        sorted.sort(Comparator.comparingDouble(Double::parseDouble).reversed());
        assertNotEquals(sorted, cliffs, "the order of the file must differ, or nothing is shown");
        assertEquals("none", order(4));
        browser.click(head(4) + ".querySelector('button')");
        assertEquals(sorted, column(4));
        assertEquals("descending", order(4));
        browser.click(head(4) + ".querySelector('button')");
        Collections.reverse(sorted);
        assertEquals(sorted, column(4));
        assertEquals("ascending", order(4));
        browser.click(head(0) + ".querySelector('button')");
        assertEquals(ids.stream().sorted().toList(), column(0));
        assertEquals("none", order(4));
        assertEquals("ascending", order(0));
        browser.click(head(0) + ".querySelector('button')");
        assertEquals(ids.stream().sorted(Comparator.reverseOrder()).toList(), column(0));
    }

    @Test
    void theKeyboardSorts() throws InterruptedException {
        open("trace", WIDE, "light");
        browser.value(head(3) + ".querySelector('button').focus()");
        browser.press("Tab", 9, "");
        assertTrue(browser.value("document.activeElement === " + head(4) + ".querySelector('button')")
                .booleanValue());
        browser.press("Enter", 13, "\r");
        assertEquals("descending", order(4));
        browser.press(" ", 32, " ");
        assertEquals("ascending", order(4));
        List<String> sorted = new ArrayList<>(column(4));
        sorted.sort(Comparator.comparingDouble(Double::parseDouble));
        assertEquals(sorted, column(4));
    }

    /** Arrows are for the eye: the names of columns stay what they are. */
    @Test
    void aScreenReaderIsToldWhatThereIs() throws InterruptedException {
        open("trace", WIDE, "light");
        browser.click(head(4) + ".querySelector('button')");
        assertEquals(
                List.of("id", "thinking", "plateau", "final", "cliff"),
                browser.names("columnheader").subList(0, 5));
        assertTrue(browser.names("table").containsAll(List.of("All transcripts", "Files")));
        List<String> images = browser.names("image");
        assertTrue(images.contains("Refusal score by token position"), images::toString);
        assertTrue(images.stream().noneMatch(String::isEmpty), images::toString);
    }

    @Test
    void nothingIsWiderThanTheScreenOrThePaper() throws InterruptedException {
        for (String name : PAGES.keySet()) {
            for (int width : List.of(WIDE, PHONE, 320)) {
                open(name, width, "light");
                assertFits(name, width);
            }
            browser.media("light", "print");
            browser.size(PAPER, 900);
            assertFits(name + " on paper", PAPER);
            assertEquals("%PDF", new String(browser.pdf(), 0, 4, StandardCharsets.ISO_8859_1));
        }
    }

    private static void assertFits(String name, int width) throws InterruptedException {
        int wide = browser.value("document.documentElement.scrollWidth").asInt();
        assertTrue(wide <= width, () -> name + " is " + wide + " wide on " + width);
    }

    /** The plot of each layout is there, with many colors, dark on light or light on dark. */
    @Test
    void plotsAreDrawnInLightAndDark() throws InterruptedException, IOException {
        for (String name : List.of("trace", "heads", "ablate", "judge", "compare", "large")) {
            for (int width : List.of(WIDE, PHONE)) {
                double[] brightness = new double[2];
                for (int dark = 0; dark < 2; dark++) {
                    open(name, width, dark == 0 ? "light" : "dark");
                    String plot =
                            "[...document.querySelectorAll('svg')].find(e => e.getBoundingClientRect().width > 0)";
                    BufferedImage picture = browser.picture(plot);
                    assertDrawn(name + " at " + width, picture);
                    brightness[dark] = brightness(picture);
                }
                assertTrue(
                        brightness[0] > 0.6 && brightness[1] < 0.4, name + " " + List.of(brightness[0], brightness[1]));
            }
        }
    }

    private static void assertDrawn(String what, BufferedImage picture) {
        Map<Integer, Integer> colors = new HashMap<>();
        for (int y = 0; y < picture.getHeight(); y++) {
            for (int x = 0; x < picture.getWidth(); x++) {
                colors.merge(picture.getRGB(x, y), 1, Integer::sum);
            }
        }
        int pixels = picture.getWidth() * picture.getHeight();
        assertTrue(pixels > 8_000, what);
        assertTrue(colors.size() > 30, () -> what + " has " + colors.size() + " colors");
        int most = Collections.max(colors.values());
        assertTrue(most < 0.95 * pixels, () -> what + " is nearly blank");
    }

    private static double brightness(BufferedImage picture) {
        double sum = 0;
        for (int y = 0; y < picture.getHeight(); y++) {
            for (int x = 0; x < picture.getWidth(); x++) {
                int color = picture.getRGB(x, y);
                sum += ((color >> 16 & 255) + (color >> 8 & 255) + (color & 255)) / 765.0;
            }
        }
        return sum / picture.getWidth() / picture.getHeight();
    }

    @Test
    void axeFindsNothingSerious() throws InterruptedException, IOException {
        String axe = axe();
        for (String name : PAGES.keySet()) {
            for (int width : List.of(WIDE, PHONE)) {
                for (String scheme : List.of("light", "dark")) {
                    open(name, width, scheme);
                    assertEquals(List.of(), serious(axe), name + " at " + width + ", " + scheme);
                }
            }
        }
        browser.value("document.querySelector('.lead').style.color = '#444'; document.documentElement.lang = ''");
        assertEquals(2, serious(axe).size(), "axe finds what is wrong");
    }

    private static List<String> serious(String axe) throws InterruptedException {
        browser.value("window.axe ? 0 : (() => {" + axe + "\n})()");
        JsonNode found = browser.value("axe.run({resultTypes: ['violations']}).then(all => all.violations"
                + ".filter(v => v.impact === 'serious' || v.impact === 'critical')"
                + ".map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')))");
        return found.valueStream().map(JsonNode::asText).toList();
    }

    private static String axe() throws IOException {
        try (InputStream in = PageInBrowserTest.class.getResourceAsStream(AXE)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
