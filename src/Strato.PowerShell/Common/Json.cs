using System;
using System.Buffers;
using System.Collections;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Text.Json;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Between QMP's JSON and PowerShell's objects.</summary>
internal static class Json
{
    private const int MaximumDepth = 32;

    /// <summary>Arguments of a QMP command: a hashtable, an object with properties, or text that is JSON.</summary>
    public static JsonElement ParseArguments(object given)
    {
        object value = given is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : given;
        JsonElement element;
        if (value is string text)
        {
            try
            {
                using JsonDocument document = JsonDocument.Parse(text);
                element = document.RootElement.Clone();
            }
            catch (JsonException e)
            {
                throw Invalid($"-Arguments is text that is not JSON: {e.Message}", e);
            }
        }
        else
        {
            ArrayBufferWriter<byte> buffer = new();
            using (Utf8JsonWriter writer = new(buffer))
            {
                Write(writer, value, 0);
            }

            using JsonDocument document = JsonDocument.Parse(buffer.WrittenMemory);
            element = document.RootElement.Clone();
        }

        return element.ValueKind == JsonValueKind.Object
            ? element
            : throw Invalid($"-Arguments is JSON of kind {element.ValueKind}; QMP takes an object, such as @{{ name = 'value' }}.");
    }

    /// <summary>Objects become PSObjects with a property per member, arrays arrays, whole numbers Int64.</summary>
    public static object? ToObject(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                PSObject result = new();
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    // The last of two members of one name wins, as in most parsers; PSObject would throw, as at an empty name.
                    string name = property.Name.Length == 0 ? "_" : property.Name;
                    if (result.Properties[name] is { } former)
                    {
                        former.Value = ToObject(property.Value);
                    }
                    else
                    {
                        result.Properties.Add(new PSNoteProperty(name, ToObject(property.Value)));
                    }
                }

                return result;
            case JsonValueKind.Array:
                return element.EnumerateArray().Select(ToObject).ToArray();
            case JsonValueKind.String:
                return element.GetString();
            case JsonValueKind.Number:
                // The casts keep the kinds apart: without them all would become the common type, double.
                return element.TryGetInt64(out long whole) ? (object)whole : element.TryGetUInt64(out ulong large) ? (object)large : element.GetDouble();
            case JsonValueKind.True or JsonValueKind.False:
                return element.GetBoolean();
            default:
                return null;
        }
    }

    private static void Write(Utf8JsonWriter writer, object? value, int depth)
    {
        if (depth > MaximumDepth)
        {
            throw Invalid($"-Arguments is nested more than {MaximumDepth} deep, or contains itself.");
        }

        switch (value is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case DateTime time:
                writer.WriteStringValue(time);
                break;
            case string or char or Enum or Guid or Uri:
                writer.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case SwitchParameter flag:
                writer.WriteBooleanValue(flag.IsPresent);
                break;
            case sbyte or byte or short or ushort or int or uint or long:
                writer.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case ulong number:
                writer.WriteNumberValue(number);
                break;
            case decimal number:
                writer.WriteNumberValue(number);
                break;
            case float or double when double.IsFinite(Convert.ToDouble(value, CultureInfo.InvariantCulture)):
                writer.WriteNumberValue(Convert.ToDouble(value, CultureInfo.InvariantCulture));
                break;
            case float or double:
                throw Invalid($"-Arguments has the number {Convert.ToString(value, CultureInfo.InvariantCulture)}; JSON has finite numbers only.");
            case IDictionary members:
                writer.WriteStartObject();
                foreach (DictionaryEntry member in members)
                {
                    writer.WritePropertyName(Convert.ToString(member.Key, CultureInfo.InvariantCulture) ?? "");
                    Write(writer, member.Value, depth + 1);
                }

                writer.WriteEndObject();
                break;
            case IEnumerable items:
                writer.WriteStartArray();
                foreach (object? item in items)
                {
                    Write(writer, item, depth + 1);
                }

                writer.WriteEndArray();
                break;
            default:
                writer.WriteStartObject();
                foreach (PSPropertyInfo property in PSObject.AsPSObject(value).Properties)
                {
                    writer.WritePropertyName(property.Name);
                    Write(writer, property.Value, depth + 1);
                }

                writer.WriteEndObject();
                break;
        }
    }

    private static StratoException Invalid(string message, Exception? inner = null) =>
        new(StratoErrorKind.InvalidArgument, "ArgumentsInvalid", message, inner);
}
