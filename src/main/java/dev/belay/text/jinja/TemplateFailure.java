package dev.belay.text.jinja;

import jinjava.javax.el.ELException;

/** Why a template cannot be read or rendered, in one line; {@link JinjaTemplate} hands the message on. */
public final class TemplateFailure extends ELException {
    private static final long serialVersionUID = 1L;

    TemplateFailure(String message) {
        super(message);
    }
}
