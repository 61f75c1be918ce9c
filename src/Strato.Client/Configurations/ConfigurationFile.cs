using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Strato.Client.Disks;
using Strato.Client.Linux;

namespace Strato.Client.Configurations;

/// <summary>A file with a VM's configuration.</summary>
internal static class ConfigurationFile
{
    /// <summary>Bytes; nobody's configuration comes near it.</summary>
    private const int MaximumLength = 4 << 20;

    /// <summary>The form that a file's name asks for; null for neither.</summary>
    internal static VmConfigurationFormat? FormatOf(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".psd1" => VmConfigurationFormat.Psd1,
        ".json" => VmConfigurationFormat.Json,
        _ => null,
    };

    internal static byte[] Write(VmDefinition vm, VmConfigurationFormat format)
    {
        if (format == VmConfigurationFormat.Json)
        {
            return EngineJson.Write(vm);
        }

        string text = DataFileWriter.Write(
            VmForm.Vm.Write(vm, all: true),
            ["A VM of Strato: Import-StratoVmConfiguration makes one of it, Set-StratoVm -Configuration changes one to it.", "A setting that isn't here stays as it is; a list is all that there is of its kind."],
            VmForm.Vm.Fields);
        return Encoding.UTF8.GetBytes(text);
    }

    /// <summary>The settings that a file gives.</summary>
    /// <exception cref="StratoException">ConfigurationNotFound, ConfigurationNotReadable, InvalidConfiguration, ConfigurationFormatUnknown, or what the engine calls it.</exception>
    internal static ConfigValue Read(string path, VmConfigurationFormat? format, List<string> warnings)
    {
        VmConfigurationFormat form = format ?? FormatOf(path) ?? throw FormatUnknown(path);
        byte[] bytes;
        try
        {
            using FileStream file = PlainFile.OpenRead(path);
            if (file.Length > MaximumLength)
            {
                throw new StratoException(StratoErrorKind.InvalidData, "InvalidConfiguration", $"The configuration '{path}' has {file.Length} bytes; allowed are {MaximumLength}.") { Where = path };
            }

            bytes = new byte[file.Length];
            file.ReadExactly(bytes);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new StratoException(StratoErrorKind.NotFound, "ConfigurationNotFound", $"The configuration '{path}' does not exist.", e) { Where = path };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StratoException(StratoErrorKind.Permission, "ConfigurationNotReadable", $"The configuration '{path}' can't be read: {e.Message}", e) { Where = path };
        }

        return Parse(bytes, path, Path.GetDirectoryName(path)!, form, warnings);
    }

    /// <param name="bytes">The file's.</param>
    /// <param name="name">What it is called in errors.</param>
    /// <param name="folder">What its relative paths are relative to.</param>
    /// <param name="format">Its form.</param>
    /// <param name="warnings">Told of what a definition has no place for.</param>
    internal static ConfigValue Parse(byte[] bytes, string name, string folder, VmConfigurationFormat format, List<string> warnings)
    {
        if (format == VmConfigurationFormat.Json)
        {
            return EngineJson.Read(bytes, name, folder, warnings);
        }

        try
        {
            string text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(bytes);
            MapNode map = DataFileReader.Read(text, out IReadOnlyDictionary<string, int> lines);
            return new ConfigValue(map, "", new ConfigSource(name, folder, path => lines.TryGetValue(path, out int line) ? line : 0));
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            string problem = e is FormatException ? e.Message : "it isn't UTF-8";
            throw new StratoException(StratoErrorKind.InvalidData, "InvalidConfiguration", $"In '{name}', {problem}.", e) { Where = name };
        }
    }

    /// <summary>Puts a configuration where there was none, or over what there was: wholly or not at all. Errors <c>FileExists</c>, <c>ConfigurationNotWritable</c>.</summary>
    internal static void Save(string path, ReadOnlySpan<byte> content, bool force)
    {
        const uint Mode = 0x1B6; // 0666, less the umask
        try
        {
            if (!force)
            {
                NewFile.RefuseExisting(path);
            }

            using NewFile file = new(path, Mode);
            while (!content.IsEmpty)
            {
                int written = Libc.Write(file.Fd, content);
                file.Check(written > 0);
                content = content[written..];
            }

            file.Keep(replace: force);
        }
        catch (StratoException e) when (e.Id == "DiskNotWritable")
        {
            throw new StratoException(e.Kind, "ConfigurationNotWritable", e.Message.Replace("The disk ", "The file ", StringComparison.Ordinal), e) { Where = path };
        }
        catch (StratoException e) when (e.Id == "FileExists")
        {
            throw new StratoException(e.Kind, e.Id, e.Message, e) { Where = path, RecommendedAction = "-Force replaces it." };
        }
    }

    internal static StratoException FormatUnknown(string path) =>
        new(StratoErrorKind.InvalidArgument, "ConfigurationFormatUnknown", $"The name '{path}' ends neither with .psd1 nor with .json.") { Where = path, RecommendedAction = "-Format Psd1 or -Format Json says which it is." };
}
