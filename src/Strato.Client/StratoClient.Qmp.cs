using System;
using System.Text.Json;
using System.Threading;
using Strato.Client.Runtime;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>One QMP command on a connection of its own. Errors: <c>VmNotRunning</c>, <c>QmpCommandNotFound</c>, <c>QmpDeviceNotFound</c>, <c>QmpGenericError</c>, <c>QmpTimeout</c>, <c>QmpDisconnected</c>.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="command">Its name.</param>
    /// <param name="arguments">A JSON object, or null.</param>
    /// <param name="timeout">For the answer; default 10 seconds. The engine has to greet within one, but while it starts it is waited for as long as for the answer (<c>WaitTimeout</c>).</param>
    /// <param name="token">Ends the wait.</param>
    /// <returns>The value of <c>return</c>; it needs no disposal.</returns>
    public JsonElement InvokeQmp(string id, string command, JsonElement? arguments = null, TimeSpan? timeout = null, CancellationToken token = default)
    {
        using QmpConnection qmp = OpenQmpWithin(id, timeout ?? QmpConnection.DefaultLimit, token);
        return qmp.Execute(command, arguments, timeout, token);
    }

    /// <summary>A QMP connection, for several commands or for events. Errors: <c>VmNotRunning</c>, <c>QmpTimeout</c>, <c>QmpDisconnected</c>.</summary>
    public QmpConnection OpenQmp(string id, CancellationToken token = default) => OpenQmpWithin(id, limit: null, token);

    private QmpConnection OpenQmpWithin(string id, TimeSpan? limit, CancellationToken token)
    {
        using EngineProcess process = OpenReady(id, limit, token);
        RuntimeFolder.Check(process.Run.Runtime);
        string name = Store.NameOf(id);
        return Ask(process, name, () => QmpConnection.Open(process.Run.QmpSocket, name, QmpConnection.QuickLimit, token));
    }
}
