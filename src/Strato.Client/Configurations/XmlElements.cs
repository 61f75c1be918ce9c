using System.Collections.Generic;
using System.IO;
using System.Xml;
using System.Xml.Linq;

namespace Strato.Client.Configurations;

/// <summary>An XML document whose elements and attributes are taken one by one, so that what nobody takes can be told.</summary>
internal sealed class XmlElements
{
    private const int MaximumDepth = 64;

    private readonly HashSet<XObject> _taken = [];

    private XmlElements(XElement root) => Root = root;

    internal XElement Root { get; }

    /// <summary>Reads a document. A DTD is refused, and so are the entities that only one can make: nothing is opened, and nothing grows.</summary>
    /// <exception cref="XmlException">With its line.</exception>
    internal static XmlElements Read(Stream stream)
    {
        XmlReaderSettings settings = new() { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, MaxCharactersInDocument = 4 << 20 };
        using XmlReader reader = XmlReader.Create(stream, settings);
        XDocument document = XDocument.Load(reader, LoadOptions.SetLineInfo);
        foreach (XElement element in document.Descendants())
        {
            int depth = 0;
            for (XElement? above = element; above is not null; above = above.Parent)
            {
                depth++;
            }

            if (depth > MaximumDepth)
            {
                throw new XmlException($"elements stand in each other more than {MaximumDepth} deep", null, LineOf(element), 0);
            }
        }

        return new XmlElements(document.Root!);
    }

    internal static int LineOf(XObject node) => ((IXmlLineInfo)node).LineNumber;

    /// <summary>The first child of a name; null for none.</summary>
    internal XElement? Take(XElement? parent, string name)
    {
        foreach (XElement child in parent?.Elements() ?? [])
        {
            if (child.Name.LocalName == name && child.Name.NamespaceName.Length == 0 && _taken.Add(child))
            {
                return child;
            }
        }

        return null;
    }

    /// <summary>All children of a name.</summary>
    internal IEnumerable<XElement> TakeAll(XElement? parent, string name)
    {
        while (Take(parent, name) is { } child)
        {
            yield return child;
        }
    }

    /// <summary>The text of a child; null where it isn't there.</summary>
    internal string? TakeText(XElement? parent, string name) => Take(parent, name) is { } child ? child.Value.Trim() : null;

    /// <summary>An attribute's value; null where it isn't there.</summary>
    internal string? Attribute(XElement? element, string attribute)
    {
        if (element?.Attribute(attribute) is not { } found)
        {
            return null;
        }

        _taken.Add(found);
        return found.Value;
    }

    /// <summary>Takes an element with all that is in it: it says how it is here anyway.</summary>
    internal void TakeWhole(XElement? element)
    {
        foreach (XElement each in element?.DescendantsAndSelf() ?? [])
        {
            _taken.Add(each);
            foreach (XAttribute attribute in each.Attributes())
            {
                _taken.Add(attribute);
            }
        }
    }

    /// <summary>Everything that wasn't taken: elements whole, and attributes of taken ones.</summary>
    internal IEnumerable<XObject> Left() => Left(Root);

    private IEnumerable<XObject> Left(XElement element)
    {
        foreach (XAttribute attribute in element.Attributes())
        {
            if (!attribute.IsNamespaceDeclaration && !_taken.Contains(attribute))
            {
                yield return attribute;
            }
        }

        foreach (XElement child in element.Elements())
        {
            if (!_taken.Contains(child))
            {
                yield return child;
                continue;
            }

            foreach (XObject inner in Left(child))
            {
                yield return inner;
            }
        }
    }
}
