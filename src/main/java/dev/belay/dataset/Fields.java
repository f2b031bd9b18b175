package dev.belay.dataset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import java.util.Iterator;
import java.util.Locale;

/** The fields of a record by name, and what is wrong with them. */
final class Fields {
    private final ObjectNode record;
    private final String place;

    /** @param place where the record is, for messages */
    Fields(ObjectNode record, String place) {
        this.record = record;
        this.place = place;
    }

    /** A field by its name, or else by names with dots between them through nested objects and arrays; missing if there is none. */
    JsonNode node(String name) {
        if (record.has(name)) {
            return record.get(name);
        }
        JsonNode node = record;
        for (String part : name.split("\\.", -1)) {
            node = node.isArray() && part.matches("\\d{1,9}") ? node.path(Integer.parseInt(part)) : node.path(part);
        }
        return node;
    }

    boolean has(String name) {
        return !node(name).isMissingNode();
    }

    /** Whether all of the fields are there. */
    boolean has(String... names) {
        for (String name : names) {
            if (!has(name)) {
                return false;
            }
        }
        return true;
    }

    /** A field as text; empty if it is null. */
    String text(String name) {
        JsonNode node = node(name);
        if (node.isMissingNode()) {
            throw new BelayException(
                    place + " has no field '" + name + "', only " + names() + "; name the right ones by --columns");
        }
        if (node.isNull()) {
            return "";
        }
        if (node.isBinary()) {
            throw new BelayException(
                    place + ": the field '" + name + "' holds bytes that are not UTF-8 text; convert it");
        }
        if (node.isContainerNode()) {
            throw new BelayException(place + ": the field '" + name + "' is no text; name a part of it as " + name
                    + ".PART by --columns");
        }
        return node.asText();
    }

    /** A field as text; empty if it is not there. */
    String textOrEmpty(String name) {
        return has(name) ? text(name) : "";
    }

    /** A field as true or false: a boolean, 1 or 0, or one of the words for it. */
    Boolean truth(String name) {
        if (!has(name) || node(name).isNull() || text(name).isBlank()) {
            return null;
        }
        return switch (text(name).strip().toLowerCase(Locale.ROOT)) {
            case "true", "1", "1.0", "yes", "harmful", "unsafe" -> true;
            case "false", "0", "0.0", "no", "harmless", "benign", "safe" -> false;
            default ->
                throw new BelayException(place + ": the field '" + name + "' is '" + text(name)
                        + "', which says neither harmful nor harmless");
        };
    }

    /** The names of the record's fields. */
    String names() {
        StringBuilder names = new StringBuilder();
        for (Iterator<String> i = record.fieldNames(); i.hasNext(); ) {
            names.append(names.isEmpty() ? "" : ", ").append(i.next());
        }
        return names.toString();
    }
}
