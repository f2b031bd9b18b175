package dev.belay.fuzz;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Changes a JSON document as a list of bytes says, three for an edit: where (two bytes) and what. A mutator of bytes thereby moves from
 * one well-formed document to another.
 */
final class JsonEdits {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final int MOST_EDITS = 12;
    private static final int DEEP = 400;
    /** From here on there are no more edits: one may put a document into itself, and writing one takes stack for each level. */
    private static final int DEEPEST = 600;

    private static final int LONG = 5000;

    /** Values that readers stumble over. */
    private static final List<Supplier<JsonNode>> VALUES = List.of(
            JSON::nullNode,
            () -> JSON.booleanNode(true),
            () -> JSON.booleanNode(false),
            () -> JSON.numberNode(0),
            () -> JSON.numberNode(1),
            () -> JSON.numberNode(2),
            () -> JSON.numberNode(3),
            () -> JSON.numberNode(-1),
            () -> JSON.numberNode(255),
            () -> JSON.numberNode(65_536),
            () -> JSON.numberNode(Integer.MAX_VALUE),
            () -> JSON.numberNode(1L << 31),
            () -> JSON.numberNode(1L << 32),
            () -> JSON.numberNode(Long.MAX_VALUE),
            () -> JSON.numberNode(Long.MIN_VALUE),
            () -> JSON.numberNode(BigInteger.TWO.pow(70)),
            () -> JSON.numberNode(0.5),
            () -> JSON.numberNode(1.5),
            () -> JSON.numberNode(-0.0),
            () -> JSON.numberNode(1e-320),
            () -> JSON.numberNode(1e308),
            () -> JSON.numberNode(1e30),
            () -> JSON.textNode(""),
            () -> JSON.textNode("a"),
            () -> JSON.textNode("1"),
            () -> JSON.textNode("two\nlines\u0000"),
            () -> JSON.textNode("\ud800 \ud83d\ude00 \u0085\u2028"),
            () -> JSON.textNode("x".repeat(LONG)),
            JSON::objectNode,
            JSON::arrayNode,
            () -> nested(true),
            () -> nested(false),
            () -> JSON.arrayNode().add(1).add("a").addNull(),
            () -> JSON.objectNode().put("a", 1));

    private JsonEdits() {}

    private record Place(JsonNode parent, int index, String key) {
        JsonNode value() {
            return key == null ? parent.get(index) : parent.get(key);
        }

        void set(JsonNode value) {
            if (key == null) {
                ((ArrayNode) parent).set(index, value);
            } else {
                ((ObjectNode) parent).set(key, value);
            }
        }

        void remove() {
            if (key == null) {
                ((ArrayNode) parent).remove(index);
            } else {
                ((ObjectNode) parent).remove(key);
            }
        }
    }

    /** A changed copy. */
    static JsonNode apply(JsonNode base, byte[] edits, int from) {
        ArrayNode holder = JSON.arrayNode().add(base.deepCopy());
        for (int i = from; i + 2 < edits.length && i < from + 3 * MOST_EDITS; i += 3) {
            List<Place> places = new ArrayList<>();
            int depth = collect(holder, places);
            if (places.isEmpty() || depth > DEEPEST) {
                break;
            }
            edit(places, ((edits[i] & 0xff) << 8 | edits[i + 1] & 0xff) % places.size(), edits[i + 2] & 0xff);
        }
        return holder.isEmpty() ? JSON.nullNode() : holder.get(0);
    }

    private static void edit(List<Place> places, int which, int how) {
        Place place = places.get(which);
        int action = how / VALUES.size();
        switch (action) {
            case 0, 1, 2, 3 -> place.set(VALUES.get(how % VALUES.size()).get());
            case 4 -> place.remove();
            case 5 ->
                place.set(places.get((which + how) % places.size()).value().deepCopy());
            case 6 -> {
                if (place.value() instanceof ArrayNode array && !array.isEmpty()) {
                    array.add(array.get(how % array.size()).deepCopy());
                } else if (place.value() instanceof ObjectNode object && !object.isEmpty()) {
                    String key = object.fieldNames().next();
                    object.set(key + how, object.get(key).deepCopy());
                } else {
                    place.set(JSON.arrayNode().add(place.value().deepCopy()));
                }
            }
            default -> {
                JsonNode value = place.value();
                place.set(
                        value.isNumber()
                                ? JSON.numberNode(value.longValue() * (how % 7 - 3))
                                : JSON.textNode(value.asText() + how));
            }
        }
    }

    /** Adds all places within a node; returns how deep it is. */
    private static int collect(JsonNode node, List<Place> places) {
        int below = 0;
        if (node instanceof ArrayNode array) {
            for (int i = 0; i < array.size(); i++) {
                places.add(new Place(array, i, null));
                below = Math.max(below, collect(array.get(i), places));
            }
        } else if (node instanceof ObjectNode object) {
            List<String> keys = new ArrayList<>();
            object.fieldNames().forEachRemaining(keys::add);
            for (String key : keys) {
                places.add(new Place(object, 0, key));
                below = Math.max(below, collect(object.get(key), places));
            }
        }
        return below + 1;
    }

    private static JsonNode nested(boolean list) {
        JsonNode node = JSON.numberNode(1);
        for (int i = 0; i < DEEP; i++) {
            node = list ? JSON.arrayNode().add(node) : JSON.objectNode().set("a", node);
        }
        return node;
    }
}
