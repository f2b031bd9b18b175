package dev.belay.text.jinja;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.el.TruthyTypeConverter;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.JinjavaInterpreterFactory;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import jinjava.de.odysseus.el.ExpressionFactoryImpl;
import jinjava.de.odysseus.el.tree.TreeBuilder;
import jinjava.javax.el.ExpressionFactory;

/**
 * A Jinja2 template that renders as under transformers: trim_blocks and lstrip_blocks on, no escaping, values are never
 * rendered again as templates, {@code raise_exception}, {@code strftime_now} and {@code tojson} as transformers has them.
 */
public final class JinjaTemplate {
    private static final Set<String> OTHER_FILES = Set.of("include", "import", "from", "extends");

    /** Filters that Jinja2 does not have, among them some that render text again or match patterns of the template's. */
    private static final Set<String> FOREIGN_FILTERS = Set.of(
            "add",
            "allow_snake_case",
            "b64decode",
            "b64encode",
            "between_times",
            "bool",
            "cut",
            "date",
            "datetimeformat",
            "difference",
            "divide",
            "divisible",
            "escape_jinjava",
            "escapejs",
            "escapejson",
            "format_date",
            "format_datetime",
            "format_number",
            "format_time",
            "fromjson",
            "fromyaml",
            "intersect",
            "ipaddr",
            "ipv4",
            "ipv6",
            "log",
            "md5",
            "minus_time",
            "multiply",
            "plus_time",
            "regex_replace",
            "render",
            "root",
            "shuffle",
            "split",
            "strtodate",
            "strtotime",
            "symmetric_difference",
            "toyaml",
            "truncatehtml",
            "unescape_html",
            "union",
            "unixtimestamp",
            "urldecode");

    private static final Set<String> FOREIGN_FUNCTIONS = Set.of(
            "datetimeformat",
            "format_date",
            "format_datetime",
            "format_time",
            "strtodate",
            "strtotime",
            "today",
            "truncate",
            "type",
            "unixtimestamp");

    /** Most calls of a macro within itself. */
    private static final int MOST_CALLS = 100;

    /** Characters of a reason, which may cite the template. */
    private static final int MOST_SAID = 300;

    private final Engine engine = new Engine();
    private final String source;

    private JinjaTemplate(String source) {
        this.source = source;
    }

    /**
     * Reads a template; expressions are only checked when they are rendered.
     *
     * @throws TemplateFailure if a tag, comment, raw block or string is not closed
     */
    public static JinjaTemplate of(String template) {
        try {
            return new JinjaTemplate(JinjaSource.rewrite(template));
        } catch (StackOverflowError e) {
            throw new TemplateFailure("it is nested too deeply");
        }
    }

    /**
     * Renders the template with these variables: strings, numbers, booleans, lists, maps with string keys, or null.
     *
     * @throws TemplateFailure with a one-line reason if the template fails, raises an exception of its own or exceeds the
     *     {@link Budget}
     */
    public synchronized String render(Map<String, ?> variables) {
        Map<String, Object> bindings = new HashMap<>(variables);
        bindings.replaceAll((_, value) -> value == null ? PythonNone.NONE : value);
        bindings.put("none", PythonNone.NONE);
        bindings.put("None", PythonNone.NONE);
        // Templates ask whether these functions are defined.
        bindings.put("raise_exception", true);
        bindings.put("strftime_now", true);
        Budget.begin();
        try {
            RenderResult result = engine.renderForResult(source, bindings);
            for (TemplateError error : result.getErrors()) {
                throw new TemplateFailure(reason(error));
            }
            return Budget.made(result.getOutput());
        } catch (StackOverflowError e) {
            throw new TemplateFailure("it is nested too deeply");
        } catch (OutOfMemoryError e) {
            throw new TemplateFailure("it needs more memory than there is");
        } finally {
            Budget.end();
        }
    }

    private static String reason(TemplateError error) {
        for (Throwable cause = error.getException(); cause != null; cause = cause.getCause()) {
            if (cause instanceof TemplateFailure failure) {
                return failure.getMessage();
            }
        }
        String message =
                error.getMessage().lines().findFirst().orElse("unknown reason").strip();
        return message.length() > MOST_SAID ? message.substring(0, MOST_SAID) + "…" : message;
    }

    private static JinjavaConfig config() {
        return JinjavaConfig.newBuilder()
                .withNestedInterpretationEnabled(false)
                .withKeepTrailingNewline(true)
                .withElResolver(new PythonResolver())
                .withEnableRecursiveMacroCalls(true)
                .withMaxMacroRecursionDepth(MOST_CALLS)
                .withDisabled(Map.of(
                        Context.Library.TAG,
                        OTHER_FILES,
                        Context.Library.FILTER,
                        FOREIGN_FILTERS,
                        Context.Library.FUNCTION,
                        FOREIGN_FUNCTIONS))
                .withMaxOutputSize(4 * Budget.STRING)
                .withMaxStringLength(Budget.STRING)
                .withMaxListSize(Budget.LIST)
                .withMaxMapSize(Budget.LIST)
                .withInterperterFactory(new Interpreters())
                .withLegacyOverrides(LegacyOverrides.newBuilder()
                        .withEvaluateMapKeys(true)
                        .withIterateOverMapKeys(true)
                        .withParseWhitespaceControlStrictly(true)
                        .withHandleBackslashInQuotesOnly(true)
                        .build())
                .build();
    }

    /** Jinjava with the expressions of {@link JinjaParser} and the functions, filters and tags of transformers. */
    private static final class Engine extends Jinjava {
        private final ExpressionFactory expressions;

        Engine() {
            super(config());
            Properties properties = new Properties();
            properties.setProperty(TreeBuilder.class.getName(), JinjaSyntax.class.getName());
            expressions = new ExpressionFactoryImpl(properties, new Truth());
            registerTag(new LoopTag());
            registerTag(new Extensions.ConditionTag());
            registerTag(new Extensions.GenerationTag());
            registerTag(new Extensions.FilterTag());
            registerExpTest(new Extensions.NoneTest());
            registerExpTest(new Extensions.InTest());
            Extensions.filters().forEach(this::registerFilter);
            registerFunction(
                    new ELFunctionDefinition("", "raise_exception", Extensions.class, "raiseException", Object.class));
            registerFunction(new ELFunctionDefinition("", "range", Extensions.class, "range", Object[].class));
            registerFunction(new ELFunctionDefinition("", "dict", Extensions.class, "dict", Object[].class));
            registerFunction(
                    new ELFunctionDefinition("", "strftime_now", Extensions.class, "strftimeNow", String.class));
        }

        @Override
        public ExpressionFactory getExpressionFactory() {
            return expressions;
        }
    }

    private static final class Truth extends TruthyTypeConverter {
        private static final long serialVersionUID = 1L;

        @Override
        protected Boolean coerceToBoolean(Object value) {
            return PythonOperators.truth(value);
        }
    }

    private static final class Interpreters extends JinjavaInterpreterFactory {
        @Override
        public JinjavaInterpreter newInstance(Jinjava engine, Context context, JinjavaConfig config) {
            return new Interpreter(engine, context, config);
        }
    }

    /** Prints values as Jinja2 does. */
    private static final class Interpreter extends JinjavaInterpreter {
        Interpreter(Jinjava engine, Context context, JinjavaConfig config) {
            super(engine, context, config);
        }

        @Override
        public Object resolveELExpression(String expression, int line) {
            Budget.step();
            return super.resolveELExpression(expression, line);
        }

        @Override
        public String getAsString(Object value) {
            return PythonOperators.text(value);
        }
    }
}
