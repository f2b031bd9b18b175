package dev.belay.text.jinja;

import jinjava.de.odysseus.el.tree.impl.Builder;
import jinjava.de.odysseus.el.tree.impl.Parser;

/** Hands {@link JinjaParser} to the expression factory, which finds this class by name. */
public final class JinjaSyntax extends Builder {
    private static final long serialVersionUID = 1L;

    /** The constructor that the expression factory calls. */
    public JinjaSyntax(Feature... features) {
        super(features);
    }

    @Override
    protected Parser createParser(String expression) {
        return new JinjaParser(this, expression);
    }
}
