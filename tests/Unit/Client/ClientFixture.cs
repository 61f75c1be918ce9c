using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Threading;
using Strato.Client;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>A store, a runtime folder and an engine of its own for one test; at the end no engine is left.</summary>
public sealed class ClientFixture : IDisposable
{
    public ClientFixture()
    {
        // Short, for the 108 bytes of a socket's path.
        Root = Directory.CreateTempSubdirectory("strato-").FullName;
        Paths = new StratoPaths(Path.Combine(Root, "state"), Path.Combine(Root, "run"));

        // As long as a sector, so that it can be a disk too.
        Kernel = WriteFile("vmlinuz", new string('k', 512));
        Engine = FakeEngine.WriteScript(Root);
        Client = new StratoClient(Paths, Engine);
    }

    public string Root { get; }

    public StratoPaths Paths { get; }

    public string Kernel { get; }

    public string Engine { get; set; }

    public StratoClient Client { get; private set; }

    public CancellationToken Token => TestContext.Current.CancellationToken;

    public string WriteFile(string name, string content)
    {
        string path = Path.Combine(Root, name);
        File.WriteAllText(path, content);
        return path;
    }

    /// <summary>A shell script as the engine from now on.</summary>
    public void UseEngineScript(string text)
    {
        Engine = TestProgram.Write(Path.Combine(Root, "engine.sh"), "#!/bin/sh\n" + text);
        Client = new StratoClient(Paths, Engine);
    }

    public VmDefinition Create(string name = "web", string commandLine = "quiet") =>
        Client.Create(new VmSettings { Name = name, Kernel = Kernel, CommandLine = commandLine });

    public VmInfo Start(string name = "web", string commandLine = "quiet") =>
        Client.Start(Create(name, commandLine).Id, null, Token);

    /// <summary>kill(2) of a process this test started.</summary>
    public static void Signal(int pid, int signal) => Assert.Equal(0, kill(pid, signal));

    /// <summary>Waits for a condition that another process brings about.</summary>
    public static void Until(Func<bool> condition, string what) =>
        Assert.True(SpinWait.SpinUntil(condition, TimeSpan.FromSeconds(20)), $"not within 20 s: {what}");

    /// <summary>The error an action fails with.</summary>
    public static StratoException Fails(string id, Action action)
    {
        StratoException error = Assert.Throws<StratoException>(action);
        Assert.Equal(id, error.Id);
        return error;
    }

    public void Dispose()
    {
        foreach (VmDefinition vm in Client.List().Definitions)
        {
            if (Client.Snapshot(vm.Id) is { ProcessId: { } pid })
            {
                _ = kill(pid, 9);
                Until(() => Client.Snapshot(vm.Id).State == VmState.Stopped, "the engine's end");
            }
        }

        // A thread may be writing down just now how an engine ended.
        Until(
            () =>
            {
                try
                {
                    Directory.Delete(Root, recursive: true);
                    return true;
                }
                catch (IOException)
                {
                    return false;
                }
            },
            "the removal of the test's folder");
    }

    [DllImport("libc")]
    private static extern int kill(int pid, int signal);
}
