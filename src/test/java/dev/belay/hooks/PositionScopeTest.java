package dev.belay.hooks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.belay.BelayException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PositionScopeTest {
    /** Ten tokens given, of which 4 to 6 close the thinking; 10 and 11 were generated. */
    @ParameterizedTest
    @CsvSource({
        "all, '0 1 2 3 4 5 6 7 8 9 10 11'",
        "closing, '4 5 6'",
        "generated, '10 11'",
        "last:1, '9'",
        "last:3, '7 8 9'",
        "last:10, '0 1 2 3 4 5 6 7 8 9'",
        "last:999999999, '0 1 2 3 4 5 6 7 8 9'"
    })
    void covers(String name, String expected) {
        PositionScope scope = PositionScope.parse(name);
        assertEquals(expected, covered(scope, new TextSpan(10, 2, 4, 7)));
        assertEquals(name, scope.toString());
        assertEquals(scope, PositionScope.parse(scope.toString()));
    }

    private static String covered(PositionScope scope, TextSpan span) {
        return String.join(
                " ",
                IntStream.range(0, 12)
                        .filter(p -> scope.covers(p, span))
                        .mapToObj(Integer::toString)
                        .toList());
    }

    @Test
    void plainTextsHaveNoClosingTokensAndProbesEndWithThem() {
        assertEquals("", covered(PositionScope.CLOSING, TextSpan.plain(10)));
        assertEquals("8 9", covered(PositionScope.CLOSING, TextSpan.probe(10, 3, 8)));
        assertEquals("10 11", covered(PositionScope.GENERATED, TextSpan.probe(10, 3, 8)));
        assertEquals(new TextSpan(10, 3, 8, 10), TextSpan.probe(10, 3, 8));
    }

    @Test
    void commonScopesAreShared() {
        assertSame(PositionScope.ALL, PositionScope.parse("all"));
        assertSame(PositionScope.CLOSING, PositionScope.parse("closing"));
        assertSame(PositionScope.GENERATED, PositionScope.parse("generated"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "All", "last", "last:", "last:0", "last:-1", "last:01", "last:1.5", "last: 3", "last:3 "})
    void refusesEverythingElse(String text) {
        String message = assertThrows(BelayException.class, () -> PositionScope.parse(text))
                .getMessage();
        assertEquals("unknown positions '" + text + "': use all, closing, generated or last:k with k from 1", message);
    }

    @Test
    void refusesMorePositionsThanAnIntHolds() {
        assertThrows(BelayException.class, () -> PositionScope.parse("last:9999999999"));
    }
}
