package dev.belay.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ResourcesTest {
    @Test
    void closesAllInReverseAndThrowsTheFirstFailure() {
        List<String> closed = new ArrayList<>();
        Resources resources = new Resources();
        for (String name : List.of("a", "b", "c")) {
            resources.own(() -> {
                closed.add(name);
                if (!name.equals("b")) {
                    throw new IllegalArgumentException(name);
                }
            });
        }
        RuntimeException failure = assertThrows(IllegalArgumentException.class, resources::close);
        assertEquals(List.of("c", "b", "a"), closed);
        assertEquals("c", failure.getMessage());
        assertEquals("a", failure.getSuppressed()[0].getMessage());
        resources.close();
        assertEquals(3, closed.size());
    }
}
