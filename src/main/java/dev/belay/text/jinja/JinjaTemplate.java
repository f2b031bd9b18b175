package dev.belay.text.jinja;

import java.util.Map;

/**
 * A Jinja2 template that renders as under transformers: trim_blocks and lstrip_blocks on, no escaping, values are never
 * rendered again as templates, {@code raise_exception}, {@code strftime_now} and {@code tojson} as transformers has them.
 */
public final class JinjaTemplate {
    /** Characters of a reason, which may cite the template. */
    private static final int MOST_SAID = 300;

    private final Statement statements;

    private JinjaTemplate(Statement statements) {
        this.statements = statements;
    }

    /**
     * Reads a template.
     *
     * @throws TemplateFailure with a one-line reason if it is no template, or uses a tag, filter or test that there is not
     */
    public static JinjaTemplate of(String template) {
        try {
            return new JinjaTemplate(TemplateParser.read(template));
        } catch (TemplateFailure e) {
            throw shortened(e);
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
    public String render(Map<String, ?> variables) {
        Scope scope = new Scope(Globals.scope());
        variables.forEach((name, value) -> scope.set(name, Values.of(value)));
        Budget.begin();
        try {
            return Statement.render(statements, scope);
        } catch (TemplateFailure e) {
            throw shortened(e);
        } catch (StackOverflowError e) {
            throw new TemplateFailure("it is nested too deeply");
        } catch (OutOfMemoryError e) {
            throw new TemplateFailure("it needs more memory than there is");
        } finally {
            Budget.end();
        }
    }

    private static TemplateFailure shortened(TemplateFailure failure) {
        String message =
                failure.getMessage().replaceAll("\\p{Cc}+|[\u2028\u2029]", " ").strip();
        return message.equals(failure.getMessage()) && message.length() <= MOST_SAID
                ? failure
                : new TemplateFailure(message.length() > MOST_SAID ? message.substring(0, MOST_SAID) + "…" : message);
    }
}
