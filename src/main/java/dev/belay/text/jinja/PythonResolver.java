package dev.belay.text.jinja;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.exptest.ExpTest;
import com.hubspot.jinjava.lib.filter.Filter;
import java.beans.FeatureDescriptor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;

/**
 * Attributes, subscripts and method calls as Python knows them, on the only values a template can hold: strings, numbers,
 * booleans, lists, maps and the loop variable. Nothing is looked up by reflection, so that a template reaches no other method.
 */
final class PythonResolver extends ELResolver {
    /** Filters that make as much as a number says. */
    private static final Set<String> SIZED =
            Set.of("batch", "center", "format", "indent", "slice", "tojson", "truncate", "wordwrap");

    @Override
    public Object getValue(ELContext context, Object base, Object property) {
        context.setPropertyResolved(true);
        String name = String.valueOf(property);
        return switch (base) {
            case LoopTag.Loop loop -> loop.attribute(name);
            case Map<?, ?> map -> map.get(name);
            case List<?> list -> element(list.size(), name, list::get);
            case String text -> element(text.length(), name, i -> String.valueOf(text.charAt(i)));
            case null, default -> null;
        };
    }

    /** The element at a Python index, or null (undefined) if the name is no index or out of range. */
    private static Object element(int size, String name, java.util.function.IntFunction<Object> elements) {
        if (!name.matches("-?\\d{1,9}")) {
            return null;
        }
        int index = Integer.parseInt(name);
        int place = index < 0 ? index + size : index;
        return place < 0 || place >= size ? null : elements.apply(place);
    }

    @Override
    public Object invoke(ELContext context, Object base, Object method, Class<?>[] types, Object[] given) {
        context.setPropertyResolved(true);
        Object[] arguments = given == null ? new Object[0] : given.clone();
        String name = String.valueOf(method);
        if (base instanceof String || name.equals(JinjaParser.SLICE)) {
            Arrays.asList(arguments).replaceAll(argument -> argument == PythonNone.NONE ? null : argument);
        }
        return switch (base) {
            case Filter filter -> filter(filter, arguments);
            case ExpTest test -> test(test, name, arguments);
            case LoopTag.Loop loop
            when name.equals("cycle") && arguments.length > 0 -> arguments[loop.getIndex0() % arguments.length];
            case String text
            when name.equals(JinjaParser.SLICE) -> Budget.made(slice(characters(text), arguments, true));
            case List<?> list when name.equals(JinjaParser.SLICE) -> Budget.made(slice(list, arguments, false));
            case String text -> Budget.made(PythonStrings.call(text, name, arguments));
            case Map<?, ?> map -> map(map, name, arguments);
            case List<?> list -> list(list, name, arguments);
            case null, default ->
                throw new TemplateFailure("'" + name + "' is called on " + PythonOperators.type(base));
        };
    }

    @SuppressWarnings("unchecked")
    private static Object filter(Filter filter, Object[] arguments) {
        Object[] given = (Object[]) arguments[2];
        Map<String, Object> named = (Map<String, Object>) arguments[3];
        if (SIZED.contains(filter.getName())) {
            Stream.concat(Arrays.stream(given), named.values().stream()).forEach(argument -> {
                if (argument instanceof Number size) {
                    Budget.list((long) Math.abs(size.doubleValue()));
                }
            });
        }
        // What a filter goes through counts like what it makes.
        Budget.made(arguments[0]);
        return Budget.made(filter.filter(arguments[0], (JinjavaInterpreter) arguments[1], given, named));
    }

    private static Object test(ExpTest test, String name, Object[] arguments) {
        JinjavaInterpreter interpreter = (JinjavaInterpreter) arguments[1];
        Object[] rest = Arrays.copyOfRange(arguments, 2, arguments.length);
        return name.equals("evaluateNegated")
                ? test.evaluateNegated(arguments[0], interpreter, rest)
                : test.evaluate(arguments[0], interpreter, rest);
    }

    private static Object map(Map<?, ?> map, String name, Object[] arguments) {
        return switch (name) {
            case "items" -> {
                List<Object> items = new ArrayList<>();
                map.forEach((key, value) -> items.add(PythonTuple.of(key, value)));
                yield items;
            }
            case "keys" -> new ArrayList<Object>(map.keySet());
            case "values" -> new ArrayList<Object>(map.values());
            case "get" -> {
                Object other = arguments.length > 1 ? arguments[1] : PythonNone.NONE;
                Object value = arguments.length == 0 ? null : map.get(String.valueOf(arguments[0]));
                yield value == null ? other : value;
            }
            default -> throw new TemplateFailure("mappings have no method '" + name + "' here");
        };
    }

    private static Object list(List<?> list, String name, Object[] arguments) {
        if (arguments.length == 1) {
            switch (name) {
                case "index" -> {
                    return places(list, arguments[0]).findFirst().orElse(-1);
                }
                case "count" -> {
                    return places(list, arguments[0]).count();
                }
                default -> {}
            }
        }
        throw new TemplateFailure("lists have no method '" + name + "' with " + arguments.length + " arguments here");
    }

    private static LongStream places(List<?> list, Object item) {
        return LongStream.range(0, list.size()).filter(i -> PythonOperators.equal(list.get((int) i), item));
    }

    private static List<Object> characters(String text) {
        List<Object> characters = new ArrayList<>(text.length());
        text.codePoints().forEach(c -> characters.add(Character.toString(c)));
        return characters;
    }

    /** Python's {@code items[start:stop:step]}; null stands for a part that is left out. */
    private static Object slice(List<?> items, Object[] parts, boolean asText) {
        int size = items.size();
        int step = bound(parts[2], 1);
        if (step == 0) {
            throw new TemplateFailure("a slice has step 0");
        }
        int low = step > 0 ? 0 : -1;
        int high = step > 0 ? size : size - 1;
        int start = clamp(bound(parts[0], step > 0 ? low : high), parts[0], size, low, high);
        int stop = clamp(bound(parts[1], step > 0 ? high : low), parts[1], size, low, high);
        List<Object> taken = new ArrayList<>();
        for (int i = start; step > 0 ? i < stop : i > stop; i += step) {
            taken.add(items.get(i));
        }
        if (!asText) {
            return taken;
        }
        StringBuilder text = new StringBuilder();
        taken.forEach(text::append);
        return text.toString();
    }

    private static int bound(Object value, int missing) {
        return switch (value) {
            case null -> missing;
            case Number number -> number.intValue();
            default -> throw new TemplateFailure("a slice needs whole numbers");
        };
    }

    private static int clamp(int bound, Object given, int size, int low, int high) {
        int place = given != null && bound < 0 ? bound + size : bound;
        return Math.max(low, Math.min(high, place));
    }

    @Override
    public Class<?> getType(ELContext context, Object base, Object property) {
        return Object.class;
    }

    @Override
    public void setValue(ELContext context, Object base, Object property, Object value) {
        throw new TemplateFailure("a template cannot change a value");
    }

    @Override
    public boolean isReadOnly(ELContext context, Object base, Object property) {
        return true;
    }

    @Override
    public Iterator<FeatureDescriptor> getFeatureDescriptors(ELContext context, Object base) {
        return Collections.emptyIterator();
    }

    @Override
    public Class<?> getCommonPropertyType(ELContext context, Object base) {
        return Object.class;
    }
}
