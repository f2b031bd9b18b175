package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.belay.device.TokenLayout;
import org.junit.jupiter.api.Test;

class AttentionTilesTest {
    @Test
    void theLongestComeFirstAndNoTokenIsLeftOut() {
        TokenLayout layout = new TokenLayout();
        AttentionCase.addRow(layout, 0, 0, 0, 0, 64);
        AttentionCase.addRow(layout, 0, 0, 100, 0, 129);
        layout.addRow(0, 0, 0);
        AttentionCase.addRow(layout, 0, 500, 300, 500, 1);
        // Keys: row 0 64; row 1 64, 128, 129; row 3 501. Equal ones stay in order.
        assertArrayEquals(new int[] {3, 193, 1, 192, 1, 128, 0, 0, 1, 64}, AttentionTiles.of(layout, 0));
    }

    @Test
    void aWindowBoundsTheWork() {
        TokenLayout layout = new TokenLayout();
        AttentionCase.addRow(layout, 0, 500, 0, 500, 1);
        AttentionCase.addRow(layout, 0, 0, 100, 0, 65);
        // Keys: row 0 10; row 1 64 (the first token sees itself alone), then 10.
        assertArrayEquals(new int[] {1, 1, 0, 0, 1, 65}, AttentionTiles.of(layout, 10));
    }

    @Test
    void noTokensNoTiles() {
        assertArrayEquals(new int[0], AttentionTiles.of(new TokenLayout(), 0));
    }
}
