using System;
using System.Globalization;
using System.Xml.Linq;

namespace Strato.Client.Configurations;

/// <summary>Reads a part of a libvirt domain.</summary>
internal abstract class DomainPart(XmlElements xml, ForeignVm vm)
{
    protected XmlElements Xml => xml;

    protected ForeignVm Vm => vm;

    /// <summary>Tells of something that can't be carried over.</summary>
    protected void Leave(XObject where, string what, string why) => vm.Leave(what, why, XmlElements.LineOf(where));

    /// <summary>One of some names; null for none, and for one that isn't there, which is told.</summary>
    /// <param name="element">The element.</param>
    /// <param name="attribute">The attribute.</param>
    /// <param name="names">What is allowed.</param>
    /// <param name="silent">What means none.</param>
    protected int? Choice(XElement? element, string attribute, string[] names, string silent)
    {
        if (Xml.Attribute(element, attribute) is not { } value || value == silent)
        {
            return null;
        }

        int index = Array.IndexOf(names, value);
        if (index < 0)
        {
            Leave(element!, $"{attribute}='{value}'", $"there are {string.Join(", ", names)}");
        }

        return index < 0 ? null : index;
    }

    /// <summary>A whole number; null for none, and for what is none, which is told.</summary>
    protected int? Count(XElement? element, string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (int.TryParse(text.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number))
        {
            return number;
        }

        Leave(element!, $"'{text}'", "a whole number is expected");
        return null;
    }
}
