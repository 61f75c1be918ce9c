using System.Collections.Generic;

namespace Strato.Engine.Qmp;

/// <summary>One option of the command line, as query-command-line-options tells of it.</summary>
/// <param name="Name">Without its dash.</param>
/// <param name="Parameters">Its parts: name, and string, boolean, number or size. Empty when the value has no parts.</param>
internal sealed record OptionGroup(string Name, IReadOnlyList<(string Name, string Type)> Parameters);
