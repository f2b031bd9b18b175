package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.io.OutputFile;
import dev.belay.report.HtmlReport;
import dev.belay.report.SampleReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The sample report looks as in the pictures that are kept in {@code src/test/resources/pictures}, in another font too, and not where
 * something is broken. After a change that is meant to be seen, take them again and look at them:
 *
 * <pre>{@code mvn test -Dtest=PagePictureTest -Dbelay.pictures.retake=true}</pre>
 *
 * <p>What was seen instead of a kept picture lies in {@code target/pictures}.
 */
class PagePictureTest {
    private static final Path KEPT = Path.of("src/test/resources/pictures");
    private static final Path SEEN = Path.of("target/pictures");
    private static final String RETAKE = "belay.pictures.retake";

    /** Of the contrast of a part; other fonts are below, planted changes above. */
    private static final double LIMIT = 0.3;

    private static final String ALL = "header.top, header + .stats, figure, article, .scroll.card, pre";
    private static final String TABLE = "table.sortable";
    private static final String TRANSCRIPTS = "article";

    private static final String BY_WORDS =
            "document.querySelectorAll('table.sortable')[1].tHead.rows[0].cells[1].querySelector('button')";

    /** A line that is this many times as long as its letters are high, whatever the font. */
    private static final double LENGTH = 40;

    /** How the page is seen. */
    enum View {
        LIGHT(1200, "light", "screen", ALL),
        DARK(1200, "dark", "screen", ALL),
        PHONE(390, "light", "screen", ALL),
        PRINT(688, "light", "print", ALL),
        SORTED(1200, "light", "screen", TABLE),
        OPENED(1200, "light", "screen", TRANSCRIPTS);

        private final int width;
        private final String scheme;
        private final String medium;
        private final String elements;

        View(int width, String scheme, String medium, String elements) {
            this.width = width;
            this.scheme = scheme;
            this.medium = medium;
            this.elements = elements;
        }

        private Path in(Path folder) {
            return folder.resolve(name().toLowerCase(Locale.ROOT) + ".png");
        }
    }

    @TempDir
    static Path folder;

    private static Browser browser;
    private static Path page;

    @BeforeAll
    static void start() throws IOException, InterruptedException {
        browser = Browser.start(folder.resolve("profile"));
        page = folder.resolve("sample.html");
        OutputFile.writeText(page, HtmlReport.render(SampleReport.tiny()));
    }

    @AfterAll
    static void stop() throws InterruptedException {
        if (browser != null) {
            browser.stop();
        }
    }

    private static void open(View view) throws InterruptedException {
        browser.size(view.width, 900);
        browser.media(view.scheme, view.medium);
        browser.open(page);
        if (view == View.SORTED) {
            browser.click(BY_WORDS);
        } else if (view == View.OPENED) {
            browser.click("document.querySelector('summary')");
        }
    }

    /** The largest difference of a part from the kept picture. */
    private static double difference(View view) throws InterruptedException, IOException {
        spaceLetters();
        PagePicture seen = PagePicture.take(browser, view.elements);
        seen.write(view.in(SEEN));
        return Collections.max(PagePicture.read(view.in(KEPT)).differences(seen));
    }

    /** Sets the letters of the page's font nearer or wider, so that lines are as long as they are in any other. */
    private static void spaceLetters() throws InterruptedException {
        double space = browser.value("(() => { const e = document.createElement('span');"
                        + " e.textContent = 'The refusal score stands at 0.96 while the model is thinking, and falls to 0.08.';"
                        + " e.style.cssText = 'position: absolute; font-size: 100px; white-space: pre; letter-spacing: 0 !important';"
                        + " document.body.append(e); const width = e.getBoundingClientRect().width; e.remove();"
                        + " return (" + LENGTH + " - width / 100) / e.textContent.length; })()")
                .asDouble();
        style("* { letter-spacing: " + space
                + "em !important } code, pre, .name, .token { letter-spacing: 0 !important }");
    }

    private static void style(String css) throws InterruptedException {
        browser.value("{ const s = document.createElement('style'); s.textContent = `" + css
                + "`; document.head.append(s); 0 }");
    }

    @ParameterizedTest
    @EnumSource
    void looksAsItDid(View view) throws InterruptedException, IOException {
        open(view);
        if (Boolean.getBoolean(RETAKE)) {
            spaceLetters();
            PagePicture.take(browser, view.elements).write(view.in(KEPT));
        }
        double difference = difference(view);
        assertTrue(difference < LIMIT, () -> view + " differs by " + difference + ": see " + view.in(SEEN));
    }

    /** Letters of other shapes and widths are no change. */
    @ParameterizedTest
    @CsvSource({
        "LIGHT, DejaVu Serif",
        "LIGHT, DejaVu Sans Condensed",
        "DARK, DejaVu Serif",
        "PHONE, DejaVu Sans Condensed",
        "PRINT, DejaVu Sans Condensed",
        "SORTED, DejaVu Serif",
        "OPENED, DejaVu Sans Condensed"
    })
    void anotherFontIsNoChange(View view, String font) throws InterruptedException, IOException {
        open(view);
        style("body, svg text { font-family: '" + font + "' !important }");
        double difference = difference(view);
        assertTrue(difference < LIMIT, () -> view + " in " + font + " differs by " + difference);
    }

    /** What a reader would call broken is a change. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "LIGHT | figure svg { visibility: hidden }",
                "LIGHT | .maps figure:nth-child(2) svg { visibility: hidden }",
                "LIGHT | .one, .mean, .level, .thinking, .closing { display: none }",
                "LIGHT | section:last-of-type { display: none }",
                "LIGHT | .tokens span { background: none !important }",
                "LIGHT | .bar-after { fill: none }",
                "DARK  | :root { color-scheme: light; --page: #faf9f6; --card: #ffffff; --ink: #171a1e }",
                "DARK  | .card { background: #ffffff }",
                "PHONE | .card { min-width: 700px }",
                "PHONE | .grid { grid-template-columns: 1fr 1fr }",
                "PHONE | .narrow { display: none } .wide { display: block }",
                "PRINT | .thirds { grid-template-columns: 1fr }",
                "PRINT | .card { background: #1b1e22 }",
                "OPENED | .tokens span { display: none }"
            })
    void whatIsBrokenIsAChange(View view, String css) throws InterruptedException, IOException {
        open(view);
        style(css);
        double difference = difference(view);
        assertTrue(difference >= LIMIT, () -> view + " with " + css + " differs by " + difference + " only");
    }

    /** Neither the order of the file nor the other way round looks sorted; nor do light pages look dark. */
    @Test
    void whatDidNotHappenIsAChange() throws InterruptedException, IOException {
        open(View.LIGHT);
        double unsorted = difference(View.SORTED);
        double light = difference(View.DARK);
        double closed = difference(View.OPENED);
        open(View.SORTED);
        browser.click(BY_WORDS);
        double reversed = difference(View.SORTED);
        List<Double> all = List.of(unsorted, light, closed, reversed);
        assertTrue(Collections.min(all) >= LIMIT, all::toString);
        assertEquals(4, all.size());
    }
}
