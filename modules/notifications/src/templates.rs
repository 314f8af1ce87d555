//! The texts, rendered: a subject on one line, plain text, and HTML in which every value is escaped.

use crate::occasion::Facts;
use bus::BusError;
use minijinja::{Environment, context, value::Serde};
use notifications_ports::Template;

/// The longest subject; servers cut or refuse longer ones.
const SUBJECT: usize = 150;
/// The longest name that is used as one.
const NAME: usize = 100;

const LAYOUT: &str = include_str!("../templates/layout.html");

/// A template's subject, plain text and HTML.
fn sources(template: Template) -> (&'static str, &'static str, &'static str) {
    match template {
        Template::OrderConfirmation => (
            "Your order {{ number }} is confirmed",
            include_str!("../templates/order_confirmation.txt"),
            include_str!("../templates/order_confirmation.html"),
        ),
        Template::OrderCancelled => (
            "Your order {{ number or order_id }} was cancelled",
            include_str!("../templates/order_cancelled.txt"),
            include_str!("../templates/order_cancelled.html"),
        ),
        Template::OrderExpired => (
            "Your order {{ order_id }} has expired",
            include_str!("../templates/order_expired.txt"),
            include_str!("../templates/order_expired.html"),
        ),
        Template::RefundIssued => (
            "Your refund of {{ amount }}",
            include_str!("../templates/refund_issued.txt"),
            include_str!("../templates/refund_issued.html"),
        ),
        Template::Welcome => (
            "Welcome to {{ shop }}, {{ name }}",
            include_str!("../templates/welcome.txt"),
            include_str!("../templates/welcome.html"),
        ),
    }
}

/// A notification's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) subject: String,
    pub(crate) text: String,
    /// For channels that can show it.
    pub(crate) html: Option<String>,
}

/// The embedded templates, compiled.
pub(crate) struct Templates {
    environment: Environment<'static>,
    shop: String,
    html: bool,
}

impl Templates {
    /// Compiles them. `html` is whether anybody will look at the HTML.
    pub(crate) fn new(shop: String, html: bool) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.add_template("layout.html", LAYOUT)?;
        for template in Template::ALL {
            let (subject, text, html) = sources(*template);
            environment.add_template_owned(format!("{template}.subject"), subject)?;
            environment.add_template_owned(format!("{template}.txt"), text)?;
            environment.add_template_owned(format!("{template}.html"), html)?;
        }
        Ok(Self { environment, shop, html })
    }

    pub(crate) fn render(&self, template: Template, facts: &Facts, name: &str) -> Result<Rendered, BusError> {
        let facts = minijinja::Value::from(Serde(facts));
        let values = context! { shop => self.shop.as_str(), name => one_line(name, NAME), ..facts };
        let render = |kind: &str| {
            let found = self.environment.get_template(&format!("{template}.{kind}"));
            // The plain form of an error names the place; the long one would show the values.
            found.and_then(|found| found.render(&values)).map_err(|error| BusError::failed(&error))
        };
        let html = if self.html { Some(render("html")?) } else { None };
        Ok(Rendered { subject: one_line(&render("subject")?, SUBJECT), text: render("txt")?, html })
    }
}

/// The text on one line of at most `most` characters: what breaks a line would begin another header.
fn one_line(text: &str, most: usize) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let spaced: String = text.chars().map(|c| if breaks(c) { ' ' } else { c }).take(most).collect();
    spaced.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates() -> Templates {
        Templates::new("The Shop".into(), true).expect("the embedded templates compile")
    }

    #[test]
    fn every_template_renders_in_all_its_forms() {
        for template in Template::ALL {
            let rendered = templates().render(*template, &Facts::default(), "Ada").expect("renders");
            assert!(!rendered.subject.is_empty() && rendered.text.starts_with("Hello Ada,"), "{template}");
            assert!(rendered.html.expect("asked for").contains("The Shop"), "{template}");
        }
    }

    /// Section 5.12: a name is nobody's way to a header or into a page.
    #[test]
    fn a_name_cannot_become_a_header_or_markup() {
        let name = "Ada\r\nBcc: evil@example.test\u{2028}<script>alert(1)</script>{{ shop }}";
        let rendered = templates().render(Template::Welcome, &Facts::default(), name).expect("renders");
        assert_eq!(rendered.subject.lines().count(), 1);
        assert!(!rendered.subject.contains('\r') && !rendered.subject.contains('\u{2028}'));
        assert!(rendered.subject.contains("{{ shop }}"), "what a user typed is no template");
        let html = rendered.html.expect("asked for");
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
    }

    #[test]
    fn a_confirmation_lists_what_was_bought() {
        let facts = serde_json::json!({
            "number": 17, "order_id": null, "total": "39.98 EUR", "amount": null,
            "lines": [{"title": "Cup & saucer", "quantity": 2, "total": "39.98 EUR"}],
        });
        let facts: Facts = serde_json::from_value(facts).expect("facts");
        let rendered = templates().render(Template::OrderConfirmation, &facts, "Ada").expect("renders");
        assert_eq!(rendered.subject, "Your order 17 is confirmed");
        assert!(rendered.text.contains("2 × Cup & saucer: 39.98 EUR"), "{}", rendered.text);
        assert!(rendered.html.expect("asked for").contains("Cup &amp; saucer"));
    }

    #[test]
    fn a_subject_has_an_end() {
        assert_eq!(one_line(&"x".repeat(1_000_000), 150).len(), 150);
        assert_eq!(one_line("\t a\u{1b}[2J b \r\n", 150), "a [2J b");
    }
}
