package dev.belay.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

class SearchTest {
    /** Texts and parts of two letters, long enough for the search of our own, so that parts begin in many places and end in few. */
    @Test
    void findsWhatJavaFinds() {
        Random random = new Random(1);
        int found = 0;
        for (int n = 0; n < 2000; n++) {
            String text = text(random, random.nextInt(200));
            String part = n % 2 == 0
                    ? text(random, random.nextInt(40))
                    : text.substring(
                            text.length() / 3, Math.min(text.length(), text.length() / 3 + random.nextInt(60)));
            for (int at : new int[] {0, text.length() / 2, text.length()}) {
                assertEquals(text.indexOf(part, at), Search.first(text, part, at), text + " " + part + " " + at);
                String before = text.substring(0, at);
                assertEquals(before.lastIndexOf(part), Search.last(text, part, at), text + " " + part + " " + at);
            }
            found += part.length() > 20 && text.contains(part) ? 1 : 0;
        }
        assertTrue(found > 100, found + " long parts were found");
    }

    private static String text(Random random, int length) {
        StringBuilder text = new StringBuilder();
        String period = random.nextBoolean() ? "aab" : "aaaaaaaaaaaaaaaaab";
        while (text.length() < length) {
            text.append(random.nextInt(20) == 0 ? "b" : period);
        }
        text.setLength(length);
        return text.toString();
    }
}
