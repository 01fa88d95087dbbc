//! The load order of a module and its dependencies.

use std::collections::HashSet;

use super::{Load, Module, ModuleError, Table, module_name, normalize};

/// Limit for nested soft dependencies. Real trees need four. The recursion must not overflow the stack of PID 1.
const MAX_DEPTH: usize = 32;

impl Table {
    /// The modules to load for `name`, in order: dependencies, soft dependencies before it, itself, soft dependencies
    /// after it. Each module occurs once. Built-in modules are left out, so the list for a built-in module is empty.
    ///
    /// Cycles of soft dependencies are cut. `name` must be a module's name; use [`Table::lookup`] for aliases.
    pub fn load_order(&self, name: &str) -> Result<Vec<Load>, ModuleError> {
        let not_found = || ModuleError::NotFound { name: name.to_owned(), release: self.release.clone() };
        let name = normalize(name).ok_or_else(not_found)?;
        let Some(module) = self.module(&name) else {
            return if self.is_builtin(&name) { Ok(Vec::new()) } else { Err(not_found()) };
        };
        let required = self.required(module)?;
        let mut walk =
            Walk { table: self, visited: HashSet::new(), placed: HashSet::new(), order: Vec::new() };
        walk.probe(module, MAX_DEPTH);
        let loads = walk.order.into_iter().filter_map(|module| {
            let required = required.contains(module.name.as_str());
            (required || !self.conf.never.contains(&module.name)).then(|| Load {
                name: module.name.clone(),
                path: module.path.clone(),
                params: self.conf.options_of(&module.name),
                required,
            })
        });
        Ok(loads.collect())
    }

    /// The module and all its hard dependencies.
    fn required<'a>(&'a self, module: &'a Module) -> Result<HashSet<&'a str>, ModuleError> {
        let mut names = HashSet::from([module.name.as_str()]);
        for token in module.deps.split_ascii_whitespace() {
            match self.dependency(token) {
                Some(dependency) => names.insert(dependency.name.as_str()),
                // A manually edited modules.dep may list modules that are now built in.
                None if module_name(token).is_some_and(|name| self.is_builtin(&name)) => continue,
                None => {
                    return Err(ModuleError::DependencyMissing {
                        name: module.name.clone(),
                        dependency: token.to_owned(),
                    });
                }
            };
        }
        match self.conf.never.iter().find(|never| names.contains(never.as_str())) {
            Some(never) => Err(ModuleError::Disabled { name: never.clone(), wanted: module.name.clone() }),
            None => Ok(names),
        }
    }

    /// The module for a word of modules.dep.
    fn dependency(&self, token: &str) -> Option<&Module> {
        self.module(&module_name(token)?)
    }
}

/// As libkmod's `kmod_module_get_probe_list`: dependencies are placed with their soft dependencies around them, and a
/// module that is reached by a soft dependency is visited once.
struct Walk<'a> {
    table: &'a Table,
    visited: HashSet<&'a str>,
    placed: HashSet<&'a str>,
    order: Vec<&'a Module>,
}

impl<'a> Walk<'a> {
    fn probe(&mut self, module: &'a Module, depth: usize) {
        if !self.visited.insert(module.name.as_str()) {
            return;
        }
        for token in module.deps.rsplit([' ', '\t']) {
            if let Some(dependency) = self.table.dependency(token) {
                self.place(dependency, depth);
            }
        }
        self.place(module, depth);
    }

    fn place(&mut self, module: &'a Module, depth: usize) {
        let softdep = self.table.conf.softdep_of(&module.name);
        if let Some(softdep) = softdep {
            self.soft(&softdep.pre, depth);
        }
        if self.placed.insert(module.name.as_str()) {
            self.order.push(module);
        }
        if let Some(softdep) = softdep {
            self.soft(&softdep.post, depth);
        }
    }

    fn soft(&mut self, aliases: &[String], depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        for name in aliases.iter().flat_map(|alias| self.table.find(alias).0) {
            // There is nothing to load if it is built in or not in this kernel.
            if let Some(module) = self.table.module(&name) {
                self.probe(module, depth);
            }
        }
    }
}
