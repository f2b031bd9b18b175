/**
 * Renders the Jinja2 templates of model folders exactly as transformers does, on top of Jinjava.
 *
 * <p>Jinjava departs from Jinja2 in white space, precedence of {@code not}, slices, loops and the methods of strings. The
 * classes here close these gaps: {@link dev.belay.text.jinja.JinjaSource} rewrites the text of a template so that no white
 * space rule is left to Jinjava, {@link dev.belay.text.jinja.JinjaParser} reads expressions with Python's grammar,
 * {@link dev.belay.text.jinja.PythonResolver} and {@link dev.belay.text.jinja.PythonStrings} answer attribute lookups and
 * method calls, {@link dev.belay.text.jinja.LoopTag} is Jinja2's {@code for}. A template comes with a downloaded model, so it
 * is not trusted: it reaches no Java method by reflection, no file and no other template.
 */
package dev.belay.text.jinja;
