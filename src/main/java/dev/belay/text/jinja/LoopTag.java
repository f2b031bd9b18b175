package dev.belay.text.jinja;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.tag.ForTag;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.TagNode;
import com.hubspot.jinjava.util.ForLoop;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Jinja2's {@code for}: a scope of its own for each turn, {@code if} in its header, {@code else} when nothing is left. */
final class LoopTag extends ForTag {
    private static final long serialVersionUID = 1L;
    private static final Pattern HEADER = Pattern.compile("\\s*(.+?)\\s+in\\s+(.+)", Pattern.DOTALL);

    private record Header(String[] names, String items, String condition) {}

    /** The loop variable, with the attributes of Jinja2's. */
    static final class Loop extends ForLoop {
        private final List<Object> items;

        Loop(List<Object> items) {
            super(items.iterator(), items.size());
            this.items = items;
        }

        Object attribute(String name) {
            int index = getIndex0();
            return switch (name) {
                case "index" -> (long) index + 1;
                case "index0" -> (long) index;
                case "revindex" -> (long) items.size() - index;
                case "revindex0" -> (long) items.size() - index - 1;
                case "first" -> index == 0;
                case "last" -> index == items.size() - 1;
                case "length" -> (long) items.size();
                case "previtem" -> index > 0 ? items.get(index - 1) : null;
                case "nextitem" -> index + 1 < items.size() ? items.get(index + 1) : null;
                default -> null;
            };
        }
    }

    @Override
    public String interpretUnchecked(TagNode tag, JinjavaInterpreter interpreter) {
        Header header = header(tag.getHelpers());
        List<Object> items = Budget.made(items(interpreter.resolveELExpression(header.items, tag.getLineNumber())));
        if (header.condition != null) {
            items.removeIf(item -> !holds(header, item, tag, interpreter));
        }
        List<Node> body = new ArrayList<>(tag.getChildren());
        int otherwise = body.size();
        for (int i = body.size() - 1; i >= 0; i--) {
            if (body.get(i) instanceof TagNode child && child.getName().equals("else")) {
                otherwise = i;
            }
        }
        if (items.isEmpty()) {
            return turn(body.subList(Math.min(otherwise + 1, body.size()), body.size()), new Loop(items), interpreter);
        }
        StringBuilder out = new StringBuilder();
        Loop loop = new Loop(items);
        while (loop.hasNext()) {
            Budget.step();
            Object item = loop.next();
            try (var _ = interpreter.enterScope()) {
                bind(header, item, interpreter);
                interpreter.getContext().put(LOOP, loop);
                out.append(turn(body.subList(0, otherwise), loop, interpreter));
                Budget.fits(out.length());
            }
        }
        return out.toString();
    }

    private static String turn(List<Node> nodes, Loop loop, JinjavaInterpreter interpreter) {
        StringBuilder out = new StringBuilder();
        for (Node node : nodes) {
            out.append(node.render(interpreter));
            if (loop.isContinued()) {
                break;
            }
        }
        return out.toString();
    }

    private static boolean holds(Header header, Object item, TagNode tag, JinjavaInterpreter interpreter) {
        try (var _ = interpreter.enterScope()) {
            bind(header, item, interpreter);
            return PythonOperators.truth(interpreter.resolveELExpression(header.condition, tag.getLineNumber()));
        }
    }

    private static void bind(Header header, Object item, JinjavaInterpreter interpreter) {
        if (header.names.length == 1) {
            interpreter.getContext().put(header.names[0], interpreter.wrap(item));
            return;
        }
        if (!(item instanceof List<?> values) || values.size() != header.names.length) {
            throw new TemplateFailure("a loop names " + header.names.length + " variables, but its items are others");
        }
        for (int i = 0; i < header.names.length; i++) {
            interpreter.getContext().put(header.names[i], interpreter.wrap(values.get(i)));
        }
    }

    private static List<Object> items(Object value) {
        return switch (value) {
            case null -> new ArrayList<>();
            case Map<?, ?> map -> new ArrayList<>(map.keySet());
            case Collection<?> collection -> new ArrayList<>(collection);
            case String text -> {
                List<Object> characters = new ArrayList<>();
                text.codePoints().forEach(c -> characters.add(Character.toString(c)));
                yield characters;
            }
            default -> throw new TemplateFailure("a loop over " + PythonOperators.type(value) + ", which is no list");
        };
    }

    private static Header header(String helpers) {
        Matcher matcher = HEADER.matcher(helpers);
        if (!matcher.matches()) {
            throw new TemplateFailure("'for " + helpers.strip() + "' has no 'in'");
        }
        String[] names = matcher.group(1).replaceAll("[()]", "").strip().split("\\s*,\\s*");
        String rest = matcher.group(2).replaceFirst("\\s+recursive\\s*$", "");
        int condition = conditionStart(rest);
        return condition < 0
                ? new Header(names, rest, null)
                : new Header(names, rest.substring(0, condition), rest.substring(condition + 4));
    }

    /** Where {@code " if "} stands outside strings and brackets, or -1. */
    private static int conditionStart(String text) {
        int depth = 0;
        char quote = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (quote != 0) {
                i += c == '\\' ? 1 : 0;
                quote = c == quote ? 0 : quote;
            } else if (c == '\'' || c == '"') {
                quote = c;
            } else if (depth == 0 && text.startsWith(" if ", i)) {
                return i;
            } else {
                depth += "([{".indexOf(c) >= 0 ? 1 : ")]}".indexOf(c) >= 0 ? -1 : 0;
            }
        }
        return -1;
    }
}
