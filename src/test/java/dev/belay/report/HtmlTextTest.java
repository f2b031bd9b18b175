package dev.belay.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class HtmlTextTest {
    @Test
    void escapesMarkupAndWhatXmlForbids() {
        assertEquals("&lt;a b=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;", HtmlText.escape("<a b=\"1\" c='2'>&amp;"));
        assertEquals("␛[1m � � � é 😀", HtmlText.escape("\u001b[1m \ud800 \u202e \uffff é 😀"));
    }

    @Test
    void showsWhiteSpaceOfTokens() {
        assertEquals("↵↵", HtmlText.visible("\n\n"));
        assertEquals(".↵", HtmlText.visible(".\r\n"));
        assertEquals("⇥x", HtmlText.visible("\tx"));
        assertEquals("∅", HtmlText.visible(""));
    }

    @Test
    void shortensByCodePoints() {
        assertEquals("a b", HtmlText.shorten("  a\n\n b ", 3));
        assertEquals("😀😀…", HtmlText.shorten("😀😀😀😀", 3));
        assertEquals("one…", HtmlText.shorten("one two", 5));
    }

    @Test
    void printsNumbers() {
        assertEquals("0.87", HtmlText.score(0.8747));
        assertEquals("−5.93", HtmlText.fixed(-5.931, 2));
        assertEquals("0.00", HtmlText.fixed(-0.001, 2));
        assertEquals("–", HtmlText.fixed(Double.NaN, 2));
        assertEquals("–", HtmlText.percent(Double.POSITIVE_INFINITY));
        assertEquals("+0.07", HtmlText.signed(0.0725, 2));
        assertEquals("0.00", HtmlText.signed(0.001, 2));
        assertEquals("100 %", HtmlText.percent(1));
        assertEquals("2.1 %", HtmlText.percent(0.0208));
        assertEquals("99.6 %", HtmlText.percent(0.996));
        assertEquals("84 %", HtmlText.percent(0.843));
        assertEquals("1\u202F234\u202F567", HtmlText.count(1_234_567));
        assertEquals("1 token", HtmlText.counted(1, "token"));
        assertEquals(1, HtmlText.digits(5.9));
        assertEquals(3, HtmlText.digits(0.072));
        assertEquals(0, HtmlText.digits(420));
        assertEquals(2, HtmlText.digits(0));
    }

    @Test
    void everyColourHasInkThatCanBeReadOnIt() {
        Matcher rule = Pattern.compile("--c:#(\\w{6});--i:#(\\w{6})").matcher(Palette.css());
        int rules = 0;
        while (rule.find()) {
            int color = Integer.parseInt(rule.group(1), 16);
            int ink = Integer.parseInt(rule.group(2), 16);
            assertTrue(Palette.contrast(color, ink) >= 4.5, rule.group());
            rules++;
        }
        assertEquals(2 * Palette.SIZE, rules);
    }

    @Test
    void coloursFollowTheScore() {
        assertEquals("q0", Palette.ofScore(0));
        assertEquals("q10", Palette.ofScore(0.5));
        assertEquals("q20", Palette.ofScore(1));
        assertEquals("qx", Palette.ofScore(Double.NaN));
        assertEquals("q20", Palette.of(7));
    }
}
