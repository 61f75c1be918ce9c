using System;
using System.IO;
using Strato.Engine.Cli;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Cli;

/// <summary>A dry run looks at files, and leaves them.</summary>
public sealed class DryRunFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("strato-dry-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string PathOf(string name) => Path.Combine(_folder, name);

    [Theory]
    [InlineData(SerialBackend.File)]
    [InlineData(SerialBackend.Console)]
    public void FilesAreNeitherEmptiedNorMade(SerialBackend backend)
    {
        string there = PathOf("there"), none = PathOf("none");
        File.WriteAllText(there, "what the last run said");
        foreach (string path in (string[])[there, none])
        {
            SerialConfiguration serial = backend == SerialBackend.File ? new(backend, path) : new(backend, PathOf("socket"), path);
            VmConfiguration configuration = new() { Kernel = "k", Serial = serial, PidFile = PathOf("pid") };
            ConsoleConfiguration console = ConsoleConfiguration.Of(configuration, "-device");
            console.Ports.Add(new PortConfiguration { Backend = serial with { Id = "c" } });
            DryRunFiles.Check(configuration);
            Assert.Null(configuration.PidFile);
            foreach (SerialConfiguration left in (SerialConfiguration[])[configuration.Serial, console.Ports[0].Backend])
            {
                Assert.True(left is { Backend: SerialBackend.Null, Path: null } or { Backend: SerialBackend.Console, LogFile: null }, $"{left}");
            }

            Assert.Equal("c", console.Ports[0].Backend.Id);
        }

        Assert.Equal("what the last run said", File.ReadAllText(there));
        Assert.Equal([there], Directory.GetFileSystemEntries(_folder));
    }

    [Theory]
    [InlineData("no/such/file", "SerialFileFailed")]
    [InlineData(".", "SerialFileFailed")]
    public void WhatAStartWouldRefuseIsRefused(string path, string id)
    {
        VmConfiguration configuration = new() { Kernel = "k", Serial = new SerialConfiguration(SerialBackend.File, PathOf(path)) };
        Assert.Equal(id, Assert.Throws<UserErrorException>(() => DryRunFiles.Check(configuration)).Id);
    }

    [Theory]
    [InlineData("there", "PidFileExists")]
    [InlineData("no/such/pid", "PidFileNotWritable")]
    public void APidFileIsRefusedAsByAStart(string path, string id)
    {
        File.WriteAllText(PathOf("there"), "4711");
        VmConfiguration configuration = new() { Kernel = "k", PidFile = PathOf(path) };
        Assert.Equal(id, Assert.Throws<UserErrorException>(() => DryRunFiles.Check(configuration)).Id);
        Assert.Equal("4711", File.ReadAllText(PathOf("there")));
    }
}
