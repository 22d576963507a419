"""The central controller: negotiates nodes, allocates and deallocates claims."""
