/**
 * Renders the Jinja2 templates of model folders exactly as transformers does.
 *
 * <p>{@link dev.belay.text.jinja.Lexer} cuts a template into tokens, {@link dev.belay.text.jinja.TemplateParser} and
 * {@link dev.belay.text.jinja.ExpressionParser} read them by Jinja2's grammar, and what they make evaluates itself with the values
 * of {@link dev.belay.text.jinja.Values}, which behave as Python's. A template comes with a downloaded model, so it is not trusted:
 * it reaches no Java method by reflection, no file and no other template, and {@link dev.belay.text.jinja.Budget} bounds what it uses.
 */
package dev.belay.text.jinja;
