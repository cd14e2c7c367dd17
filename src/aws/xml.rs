//! The XML of answers: a read-only tree.

/// An element of an answer; namespaces, attributes and text between elements are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xml {
    /// Its name.
    pub name: String,
    /// Its text, when it has no elements.
    pub text: String,
    /// Its elements, in order.
    pub children: Vec<Xml>,
}

impl Xml {
    /// Returns the root of a document.
    ///
    /// # Errors
    /// What the reader says; also of documents with a DTD, which no answer of AWS has.
    pub fn parse(text: &str) -> Result<Self, roxmltree::Error> {
        roxmltree::Document::parse(text).map(|document| Self::of(document.root_element()))
    }

    fn of(node: roxmltree::Node<'_, '_>) -> Self {
        let children: Vec<Self> = node.children().filter(roxmltree::Node::is_element).map(Self::of).collect();
        let text = if children.is_empty() { node.text().unwrap_or_default().into() } else { String::new() };
        Self { name: node.tag_name().name().into(), text, children }
    }

    /// Returns the first element of that name directly below.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Returns the first element of that name at any depth.
    pub fn find(&self, name: &str) -> Option<&Self> {
        self.children.iter().find_map(|child| if child.name == name { Some(child) } else { child.find(name) })
    }

    /// Returns the text of the element of that name directly below; empty when there is none.
    pub fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| &child.text)
    }

    /// Returns what is in the list of that name at any depth: its `member`s, in EC2 its `item`s.
    pub fn list(&self, name: &str) -> &[Self] {
        self.find(name).map_or(&[], |list| &list.children)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_without_their_namespaces() {
        let text = r#"<?xml version="1.0"?><R xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult>
            <Role><RoleName>a&amp;b</RoleName><Tags/><Roles><member><Arn>x</Arn></member><member><Arn>y</Arn></member></Roles>
            </Role></GetRoleResult></R>"#;
        let root = Xml::parse(text).unwrap();
        let role = root.find("Role").unwrap();
        assert_eq!((role.text_of("RoleName"), role.text_of("Tags"), role.text_of("Missing")), ("a&b", "", ""));
        assert_eq!(role.list("Roles").iter().map(|role| role.text_of("Arn")).collect::<Vec<_>>(), ["x", "y"]);
        assert!(role.list("Tags").is_empty() && role.list("Missing").is_empty());
    }
}
